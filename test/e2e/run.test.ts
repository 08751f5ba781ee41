import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { freePorts } from '../support/processes.ts';
import { temporaryDirectory } from '../support/clickhouse.ts';
import { projectRoot, runCli } from '../support/run-cli.ts';

let folder: Awaited<ReturnType<typeof temporaryDirectory>>;
beforeAll(async () => void (folder = await temporaryDirectory()));
afterAll(() => folder.remove());

async function configFile(name: string, lines: string[]): Promise<string> {
  const path = join(folder.path, name);
  await writeFile(path, lines.join('\n'));
  return path;
}

describe('token-recall run, misconfigured', () => {
  it('names the file of a geo database that is not there, and the option', async () => {
    const path = await configFile('geo.yaml', [
      'enrich:',
      '  city: [/nowhere/city.mmdb]',
      `data_dir: ${folder.path}/geo`,
    ]);
    const { code, stderr } = await runCli(['run', '--config', path]);
    expect(code).toBe(3);
    expect(stderr).toContain('/nowhere/city.mmdb');
    expect(stderr).toContain('enrich.city');
  });

  it('says that ClickHouse does not answer, and where', async () => {
    const [port = 0] = await freePorts(1);
    const path = await configFile('store.yaml', ['store:', `  url: http://127.0.0.1:${port}`]);
    const { code, stderr } = await runCli(['run', '--config', path]);
    expect(code).toBe(3);
    expect(stderr).toContain(`127.0.0.1:${port}`);
  });

  it('names line and column of every mistake in the configuration, and starts nothing', async () => {
    const path = await configFile('typo.yaml', ['policy:', '  mod: enforce', 'api:', '  port: many']);
    const { code, stderr } = await runCli(['run', '--config', path]);
    expect(code).toBe(1);
    expect(stderr).toContain(`${path}:2:3 policy.mod:`);
    expect(stderr).toContain(`${path}:4:9 api.port:`);
  });

  it('does not listen where everybody can reach it without credentials', async () => {
    const path = await configFile('public.yaml', ['api:', '  host: 0.0.0.0']);
    const { code, stderr } = await runCli(['run', '--config', path]);
    expect(code).toBe(1);
    expect(stderr).toContain('api.tokens');
  });
});

describe('token-recall run, with parts that are away', () => {
  let child: ChildProcess | undefined;
  afterEach(async () => {
    if (child?.exitCode === null) {
      child.kill('SIGKILL');
      await once(child, 'close');
    }
  });

  /** Starts the worker and gives its API, once it listens. */
  async function start(config: string, dataDir: string) {
    const started = spawn(
      process.execPath,
      [
        '--import',
        import.meta.resolve('tsx'),
        join(projectRoot, 'src/cli/main.ts'),
        'run',
        '--config',
        config,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    child = started;
    let output = '';
    const url = await new Promise<string>((resolve, reject) => {
      started.stderr.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        const found = /API\s+(http:\S+)\/docs/.exec(output)?.[1];
        if (found !== undefined) resolve(found);
      });
      started.once('close', () => reject(new Error(`the worker ended: ${output}`)));
    });
    const { ingest, operator } = JSON.parse(
      await readFile(join(dataDir, 'api-tokens.json'), 'utf8'),
    ) as Record<string, string>;
    const call = (
      path: string,
      token: string | undefined,
      headers: Record<string, string> = {},
      init: RequestInit = {},
    ) => fetch(`${url}${path}`, { ...init, headers: { ...headers, authorization: `Bearer ${token ?? ''}` } });
    return {
      url,
      output: () => output,
      get: async (path: string) => (await (await call(path, operator)).json()) as Record<string, unknown>,
      push: (lines: string[]) =>
        call(
          '/v1/events/access',
          ingest,
          { 'content-type': 'application/x-ndjson' },
          { method: 'POST', body: lines.join('\n') },
        ),
      stop: async () => {
        started.kill('SIGTERM');
        const [code] = (await once(started, 'close')) as [number | null];
        return code;
      },
    };
  }

  it('goes on while Kafka is away, says who is away and why it takes no pushes, and stops when told', async () => {
    const [kafkaPort = 0] = await freePorts(1);
    const dataDir = join(folder.path, 'kafka-away');
    const path = await configFile('kafka.yaml', [
      `data_dir: ${dataDir}`,
      'store: { http_port: 0 }',
      'api: { port: 0 }',
      'sources:',
      `  - { kind: kafka, brokers: ["127.0.0.1:${kafkaPort}"], topics: [gateway-access], keyed_by: subject }`,
    ]);
    const worker = await start(path, dataDir);
    await expect
      .poll(async () => JSON.stringify(await worker.get('/readyz')), { timeout: 30_000 })
      .toContain(`127.0.0.1:${kafkaPort}`);
    expect((await fetch(`${worker.url}/readyz`)).status).toBe(503);
    expect((await fetch(`${worker.url}/healthz`)).status).toBe(200);
    expect((await fetch(`${worker.url}/v1/alerts`)).status).toBe(401);
    const refused = await worker.push([
      JSON.stringify({ time: Date.now(), client_ip: '192.0.2.7', sub: 'user-1' }),
    ]);
    expect(refused.status).toBe(409);
    expect(await refused.text()).toContain('set `repartition`');
    expect(await worker.stop()).toBe(0);
  });

  it('takes what is an event of a push and sets the rest aside', async () => {
    const dataDir = join(folder.path, 'pushes');
    const path = await configFile('pushes.yaml', [
      `data_dir: ${dataDir}`,
      'store: { http_port: 0 }',
      'api: { port: 0 }',
    ]);
    const worker = await start(path, dataDir);
    const now = Date.now();
    const event = {
      time: now,
      client_ip: '192.0.2.7',
      sub: 'user-1',
      client_id: 'web',
      token_hash: 'hash-1',
      status: 200,
    };
    const answer = await worker.push([
      JSON.stringify(event),
      'no JSON',
      JSON.stringify({ ...event, time: '1970-01-01T00:00:00Z' }),
      JSON.stringify({ ...event, time: '2100-01-01T00:00:00Z' }),
      JSON.stringify({ ...event, path: 'x'.repeat(10 << 20) }),
      JSON.stringify({ ...event, time: now + 1 }),
    ]);
    expect(await answer.json()).toEqual({ accepted: 2, dead_letters: 4 });
    const uses = await worker.get('/v1/tokens/hash-1/uses');
    expect(uses['uses'] ?? uses['items']).toHaveLength(2);
    expect(await worker.stop()).toBe(0);
  });

  it('asks an authorization server that is away again until it answers', async () => {
    let healthy = false;
    let asked = 0;
    let inactive = false;
    const server = createServer((request, response) => {
      asked += 1;
      request.resume();
      if (!healthy) return void response.writeHead(503, { 'retry-after': '0' }).end();
      if (request.url === '/revoke') inactive = true;
      const body = request.url === '/introspect' ? { active: !inactive } : {};
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const dataDir = join(folder.path, 'server-away');
    const path = await configFile('server.yaml', [
      `data_dir: ${dataDir}`,
      'store: { http_port: 0 }',
      'api: { port: 0 }',
      'policy: { mode: enforce }',
      'authorization_servers:',
      `  - issuer: ${issuer}`,
      `    revocation_endpoint: ${issuer}/revoke`,
      `    introspection_endpoint: ${issuer}/introspect`,
      `    credential: { auth_method: client_secret_basic, client_id: web, client_secret: "${randomBytes(16).toString('hex')}" }`,
    ]);
    const worker = await start(path, dataDir);
    const token = randomBytes(24).toString('base64url');
    const use = (at: number, client_ip: string, user_agent: string) =>
      JSON.stringify({
        time: Date.now() - at,
        client_ip,
        user_agent,
        iss: issuer,
        sub: 'user-1',
        client_id: 'web',
        sid: 's',
        token,
        status: 200,
      });
    const owner = [
      '90.18.63.77',
      'Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0',
    ] as const;
    const thief = ['68.183.180.9', 'python-requests/2.32.3'] as const;
    await worker.push([
      use(60_000, ...owner),
      use(50_000, ...owner),
      use(40_000, ...thief),
      use(30_000, ...owner),
      use(20_000, ...thief),
    ]);
    await expect.poll(() => asked, { timeout: 30_000 }).toBeGreaterThan(2);
    const pending = JSON.stringify(await worker.get('/v1/recalls'));
    expect(pending).toContain('pending');
    healthy = true;
    await expect
      .poll(async () => JSON.stringify(await worker.get('/v1/recalls')), { timeout: 60_000 })
      .toContain('"confirmed"');
    expect(worker.output()).not.toContain(token);
    expect(await worker.stop()).toBe(0);
    server.close();
  });
});
