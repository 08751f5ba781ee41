import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BacktestSummary } from '../../src/pipeline/backtest.ts';
import { temporaryDirectory } from '../support/clickhouse.ts';
import { projectRoot, runCli } from '../support/run-cli.ts';
import { ordinaryTraffic, plantedThefts } from '../support/traffic.ts';

const EVENTS = 20_000;
const THEFTS = 3;

describe('token-recall backtest', () => {
  let folder: Awaited<ReturnType<typeof temporaryDirectory>>;
  let input: string;
  let authorization: string;
  const at = (name: string) => join(folder.path, name);
  const linesOf = async (name: string) =>
    (await readFile(at(name), 'utf8'))
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  beforeAll(async () => {
    folder = await temporaryDirectory();
    const from = Date.UTC(2026, 9, 1);
    const options = {
      events: EVENTS,
      users: 500,
      seed: 3,
      from,
      to: from + 86_400_000,
      issuer: 'https://as.example',
    };
    const planted = plantedThefts(options, THEFTS);
    let log = '';
    for (const line of ordinaryTraffic(options)) log += `${line}\n${planted.next(line)}`;
    log += 'this is no JSON\n{"time":"1970-01-01T00:00:00Z","client_ip":"192.0.2.1","sub":"user-1"}\n';
    log += `{"time":"2100-01-01T00:00:00Z","client_ip":"192.0.2.1","sub":"user-1"}\n{"x":"${'y'.repeat(10 << 20)}"}\n`;
    input = at('access.ndjson');
    await writeFile(input, log);
    authorization = at('as.ndjson');
    const issued = { time: from, type: 'token_issued', iss: options.issuer, sub: 'user-1', client_id: 'web' };
    await writeFile(
      authorization,
      `${JSON.stringify({ ...issued, scope: 'orders:read orders:write profile:read' })}\n`,
    );
  });
  afterAll(() => folder.remove());

  const backtest = (out: string, ...more: string[]) =>
    runCli([
      'backtest',
      '--input',
      input,
      '--authorization-events',
      authorization,
      '--out',
      at(out),
      ...more,
    ]);

  it('writes what would have been, twice the same to the byte, and says what it could not read', async () => {
    const first = await backtest('first', '--json', '--quiet');
    expect(first).toMatchObject({ code: 0, stderr: '' });
    const summary = JSON.parse(first.stdout) as BacktestSummary;
    expect(summary).toMatchObject({
      events: EVENTS + 2 * THEFTS,
      authorization_events: 1,
      dead_letters: 4,
      alerts: THEFTS,
      revocations: THEFTS,
      detector_errors: 0,
    });
    expect(JSON.parse(await readFile(at('first/summary.json'), 'utf8'))).toEqual(summary);
    const reasons = summary.dead_letter_reasons;
    expect(reasons['ERR_DECODE_JSON']?.first).toContain(
      `access.ndjson ${EVENTS + 2 * THEFTS + 1}: not valid JSON`,
    );
    expect(reasons['ERR_DECODE_TIME']).toMatchObject({ count: 2 });
    expect(reasons['ERR_DECODE_TOO_LARGE']).toMatchObject({ count: 1 });

    expect((await backtest('second', '--quiet')).code).toBe(0);
    for (const name of ['alerts.ndjson', 'decisions.ndjson', 'findings.ndjson']) {
      expect(await readFile(at(`second/${name}`), 'utf8'), name).toBe(
        await readFile(at(`first/${name}`), 'utf8'),
      );
    }
  });

  it('names the thefts, each with its decision and its evidence, in the form that is promised', async () => {
    const alerts = await linesOf('first/alerts.ndjson');
    expect(alerts).toHaveLength(THEFTS);
    for (const alert of alerts) {
      expect(alert).toMatchObject({
        severity: expect.stringMatching(/^(high|critical)$/) as string,
        decision: { action: 'revoke', handle: 'token', value: alert['token_hash'], mode: 'shadow' },
        iss: 'https://as.example',
        client_id: 'web',
      });
      for (const name of ['alert_id', 'time', 'updated', 'summary', 'sub', 'sid']) {
        expect(alert[name], name).toEqual(expect.any(String));
      }
      const evidence = alert['evidence'] as Record<string, unknown>[];
      expect(
        evidence.some((use) => use['country'] === 'SG' && use['user_agent'] === 'python-requests/2.32.3'),
      ).toBe(true);
    }
    const revoking = (await linesOf('first/decisions.ndjson')).filter((line) => line['action'] === 'revoke');
    expect(new Set(revoking.map((line) => line['alert_id']))).toEqual(
      new Set(alerts.map((alert) => alert['alert_id'])),
    );
  });

  it('writes no summary where it could not read the log, and says so', async () => {
    const missing = await runCli(['backtest', '--input', at('nowhere.ndjson'), '--out', at('third')]);
    expect(missing.code).toBe(3);
    expect(missing.stderr).toContain(`cannot read ${at('nowhere.ndjson')}`);
    expect(await readdir(at('third')).catch(() => [])).not.toContain('summary.json');
  });

  it('interrupted, leaves no summary behind, not an earlier one either', async () => {
    await mkdir(at('fifth'));
    await writeFile(at('fifth/summary.json'), '{}');
    const args = ['--import', import.meta.resolve('tsx'), join(projectRoot, 'src/cli/main.ts'), 'backtest'];
    // Long enough to be at work for seconds.
    const log = await readFile(input);
    await writeFile(at('long.ndjson'), Buffer.concat(Array.from({ length: 8 }, () => log)));
    const child = spawn(process.execPath, [...args, '--input', at('long.ndjson'), '--out', at('fifth')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    await expect.poll(() => existsSync(at('fifth/findings.ndjson')), { timeout: 30_000 }).toBe(true);
    child.kill('SIGINT');
    const [code] = (await once(child, 'close')) as [number];
    expect({ code, said }).toEqual({ code: 1, said: expect.stringContaining('interrupted') as string });
    expect(await readdir(at('fifth'))).not.toContain('summary.json');
  });

  it('knows no format that it does not know', async () => {
    const unknown = await backtest('fourth', '--format', 'apache', '--quiet');
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toContain('canonical');
  });
});
