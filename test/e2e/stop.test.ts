import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { OpenedStore } from '../../src/store/open.ts';
import { startClickHouse, temporaryDirectory, type TestClickHouse } from '../support/clickhouse.ts';
import { projectRoot } from '../support/run-cli.ts';

/** How long a stop may take in these tests. */
const DEADLINE = '3s';
const OWNER = [
  '90.18.63.77',
  'Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0',
] as const;
const THIEF = ['68.183.180.9', 'python-requests/2.32.3'] as const;

let folder: Awaited<ReturnType<typeof temporaryDirectory>>;
let clickhouse: TestClickHouse;
let store: OpenedStore;
const key = randomBytes(32).toString('base64');
const children = new Set<ChildProcess>();

beforeAll(async () => {
  [folder, clickhouse] = await Promise.all([temporaryDirectory(), startClickHouse()]);
  store = await clickhouse.open();
});
afterEach(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'close');
  }
  children.clear();
});
afterAll(async () => {
  await store.close();
  await clickhouse.stop();
  await folder.remove();
});

/** A server that takes requests and answers when it is told to. */
async function hangingServer(answer: (path: string) => string) {
  let release: (() => void) | undefined;
  const open = new Promise<void>((resolve) => (release = resolve));
  const asked: string[] = [];
  let onAsked: (() => void) | undefined;
  const server: Server = createServer((request, response) => {
    asked.push(request.url ?? '');
    onAsked?.();
    request.resume();
    void open.then(() => {
      // Of a caller that has gone meanwhile it forgets the request.
      if (response.destroyed) return;
      response.writeHead(200, { 'content-type': 'application/json' }).end(answer(request.url ?? ''));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    nextAsked: () => new Promise<void>((resolve) => (onAsked = resolve)),
    answer: () => release?.(),
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function worker(name: string, lines: string[]) {
  const path = join(folder.path, `${name}.yaml`);
  const dataDir = join(folder.path, name);
  const { url, username, password, database } = clickhouse.config;
  await writeFile(
    path,
    [
      `data_dir: ${dataDir}`,
      `stop_deadline: ${DEADLINE}`,
      'api: { port: 0 }',
      `custody: { key: "${key}" }`,
      `store: { url: "${url ?? ''}", username: "${username}", password: "${password?.reveal() ?? ''}", database: ${database}, flush_interval: 5ms, retention: { events: 18000d, alerts: 18000d, dead_letters: 18000d } }`,
      ...lines,
    ].join('\n'),
  );
  const args = [
    '--import',
    import.meta.resolve('tsx'),
    join(projectRoot, 'src/cli/main.ts'),
    'run',
    '--config',
    path,
  ];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  children.add(child);
  let output = '';
  const api = await new Promise<string>((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      const found = /API\s+(http:\S+)\/docs/.exec(output)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.once('close', () => reject(new Error(`the worker ended: ${output}`)));
  });
  const { ingest } = JSON.parse(await readFile(join(dataDir, 'api-tokens.json'), 'utf8')) as {
    ingest: string;
  };
  return {
    push: (body: string) =>
      fetch(`${api}/v1/events/access`, {
        method: 'POST',
        headers: { authorization: `Bearer ${ingest}`, 'content-type': 'application/x-ndjson' },
        body,
      }),
    output: () => output,
    /** Ends by SIGTERM; the exit code, or the signal where the process had to be killed for good. */
    async terminate() {
      child.kill('SIGTERM');
      const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
      return code ?? signal;
    },
  };
}

/** Owner, owner, thief, owner, thief, with a real-looking token. */
function theft(sub: string, iss: string): string {
  const token = randomBytes(30).toString('base64url');
  return [OWNER, OWNER, THIEF, OWNER, THIEF]
    .map(([client_ip, user_agent], at) =>
      JSON.stringify({
        time: Date.now() - (5 - at) * 20_000,
        request_id: `${sub}-${at}`,
        ...{ client_ip, user_agent, sub, iss, token, client_id: `client-of-${sub}`, status: 200 },
      }),
    )
    .join('\n');
}

const countOf = async (table: string, sub: string) => {
  const [row] = await store.query<{ rows: number }>(
    `SELECT count() AS rows FROM ${table} FINAL WHERE sub = {sub:String}`,
    { sub },
  );
  return row?.rows;
};

describe('SIGTERM', () => {
  it('while ClickHouse is away ends in time; what was not answered is not lost, and what comes again is stored once', async () => {
    const first = await worker('store-away', []);
    expect((await first.push(theft('before', 'https://as.example'))).status).toBe(200);
    await clickhouse.kill();
    const lines = theft('during', 'https://as.example');
    const pushed = first.push(lines).then(
      ({ status }) => status,
      () => 'broken off',
    );
    await expect.poll(() => first.output(), { timeout: 20_000 }).toContain('ERR_STORE_UNAVAILABLE');
    expect(await first.terminate()).toBe(0);
    // Not a yes: whoever pushed still has the lines.
    expect(await pushed).not.toBe(200);
    await clickhouse.restart();

    const second = await worker('store-away', []);
    expect((await second.push(lines)).status).toBe(200);
    expect((await second.push(lines)).status).toBe(200);
    expect(await second.terminate()).toBe(0);
    expect([await countOf('access_events', 'before'), await countOf('access_events', 'during')]).toEqual([
      5, 5,
    ]);
    expect(await countOf('alerts', 'during')).toBe(1);
  });

  it('while the authorization server hangs ends in time; the next start has the token revoked', async () => {
    let active = true;
    const server = await hangingServer((path) => {
      if (path === '/revoke') active = false;
      return path === '/introspect' ? JSON.stringify({ active }) : '{}';
    });
    const config = [
      'policy: { mode: enforce }',
      'authorization_servers:',
      `  - issuer: ${server.url}`,
      `    revocation_endpoint: ${server.url}/revoke`,
      `    introspection_endpoint: ${server.url}/introspect`,
      `    credential: { auth_method: client_secret_basic, client_id: web, client_secret: "${randomBytes(16).toString('hex')}" }`,
    ];
    try {
      const first = await worker('server-hangs', config);
      const asked = server.nextAsked();
      expect((await first.push(theft('robbed', server.url))).status).toBe(200);
      await asked;
      expect(await first.terminate()).toBe(0);
      const pending = await store.query("SELECT state FROM actions FINAL WHERE sub = 'robbed'");
      expect(pending).toEqual([{ state: 'pending' }]);

      server.answer();
      const second = await worker('server-hangs', config);
      await expect
        .poll(() => store.query("SELECT state FROM actions FINAL WHERE sub = 'robbed'"), { timeout: 30_000 })
        .toEqual([{ state: 'confirmed' }]);
      expect(active).toBe(false);
      expect(await second.terminate()).toBe(0);
    } finally {
      server.close();
    }
  });

  it('while an alert sink hangs ends in time; the next start delivers the alert, and the one after does not', async () => {
    const sink = await hangingServer(() => '{}');
    const config = [
      'alert_sinks:',
      `  - { kind: webhook, url: "${sink.url}/alerts", secret: "${randomBytes(24).toString('hex')}" }`,
    ];
    try {
      const first = await worker('sink-hangs', config);
      const asked = sink.nextAsked();
      expect((await first.push(theft('told', 'https://as.example'))).status).toBe(200);
      await asked;
      expect(await first.terminate()).toBe(0);
      const before = sink.asked.length;
      sink.answer();
      const second = await worker('sink-hangs', config);
      await expect.poll(() => sink.asked.length, { timeout: 30_000 }).toBe(before + 1);
      await expect
        .poll(() => store.query("SELECT outcome FROM alert_deliveries FINAL WHERE sink != ''"), {
          timeout: 30_000,
        })
        .toEqual([{ outcome: 'delivered' }]);
      expect(await second.terminate()).toBe(0);
      const third = await worker('sink-hangs', config);
      expect((await third.push(theft('told-too', 'https://as.example'))).status).toBe(200);
      await expect.poll(() => sink.asked.length, { timeout: 30_000 }).toBe(before + 2);
      expect(await third.terminate()).toBe(0);
      // The one of its own, and nothing again.
      expect(sink.asked.length).toBe(before + 2);
    } finally {
      sink.close();
    }
  });
});
