/*
 * npm run bench:backtest -- [EVENTS]
 *
 * Writes a log of ordinary traffic with planted theft, runs it through `token-recall backtest` twice in processes of
 * their own, and prints time, speed and the largest memory of each, and whether the alerts are the same to the byte.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BacktestSummary } from '../../src/pipeline/backtest.ts';
import { ordinaryTraffic, plantedThefts } from '../support/traffic.ts';

const events = Number(process.argv[2] ?? 1_000_000);
const thefts = 20;
const say = (line: string) => process.stdout.write(`${line}\n`);

async function writeLog(path: string): Promise<void> {
  const out = createWriteStream(path);
  const options = {
    events,
    users: Math.max(50, Math.round(events / 100)),
    seed: 3,
    from: Date.UTC(2026, 9, 1),
    to: Date.UTC(2026, 9, 4),
    issuer: 'https://as.example',
  };
  const planted = plantedThefts(options, thefts);
  let text = '';
  for (const line of ordinaryTraffic(options)) {
    text += `${line}\n${planted.next(line)}`;
    if (text.length < 1 << 20) continue;
    if (!out.write(text)) await once(out, 'drain');
    text = '';
  }
  out.end(text);
  await once(out, 'close');
}

/** Runs the built command; gives its summary and the largest resident memory the kernel saw, in MiB. */
async function run(
  input: string,
  out: string,
): Promise<{ summary: BacktestSummary; peak: number; alerts: string }> {
  const args = ['dist/src/cli/main.js', 'backtest', '--input', input, '--out', out, '--quiet', '--json'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let peak = 0;
  const watch = setInterval(() => {
    readFile(`/proc/${child.pid ?? 0}/status`, 'utf8').then(
      (status) => (peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024)),
      () => undefined,
    );
  }, 200);
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const [code] = (await once(child, 'close')) as [number];
  clearInterval(watch);
  if (code !== 0) throw new Error(`backtest ended with exit code ${code}`);
  const alerts = await readFile(join(out, 'alerts.ndjson'));
  return {
    summary: JSON.parse(text) as BacktestSummary,
    peak: Math.round(peak),
    alerts: createHash('sha256').update(alerts).digest('hex'),
  };
}

const folder = await mkdtemp(join(tmpdir(), 'token-recall-bench-'));
try {
  const input = join(folder, 'access.ndjson');
  await writeLog(input);
  const runs = [await run(input, join(folder, 'first')), await run(input, join(folder, 'second'))];
  for (const { summary, peak } of runs) {
    say(
      `${summary.events} events in ${summary.seconds} s, ${summary.events_per_second} events/s, ` +
        `${summary.alerts} alerts, ${summary.revocations} revocations (${thefts} tokens stolen), peak memory ${peak} MiB`,
    );
  }
  say(`alerts of both runs ${runs[0]?.alerts === runs[1]?.alerts ? 'are the same to the byte' : 'DIFFER'}`);
  if (runs[0]?.alerts !== runs[1]?.alerts) process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
