import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConfigInput } from '../../schemas/config.ts';
import { runCli } from '../support/run-cli.ts';
import { verdictsOfBacktest, type Verdicts } from './check-alerts.ts';
import type { StreamRecord } from './lines.ts';
import { DETECTION } from './settings.ts';

/** What `backtest` decides on the same events, in the order of their time. */
export async function backtestVerdicts(folder: string, records: readonly StreamRecord[]): Promise<Verdicts> {
  const root = join(folder, 'backtest');
  const out = join(root, 'out');
  await mkdir(root, { recursive: true });
  const write = async (name: string, text: string) => {
    const path = join(root, name);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  };
  const log = (stream: string) =>
    records
      .filter((record) => record.stream === stream && record.sort !== 'refused')
      .map(({ line }) => `${line}\n`)
      .join('');
  const config: ConfigInput = { ...DETECTION };
  const { code, stderr } = await runCli([
    'backtest',
    ...['--config', await write('token-recall.yaml', JSON.stringify(config))],
    ...['--input', await write('access.ndjson', log('access'))],
    ...['--authorization-events', await write('authorization.ndjson', log('authorization'))],
    ...['--out', out, '--quiet'],
  ]);
  if (code !== 0) throw new Error(`backtest ended with code ${code}: ${stderr}`);
  return verdictsOfBacktest(out);
}
