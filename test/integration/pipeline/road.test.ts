import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Action } from '../../../schemas/action.ts';
import type { Alert } from '../../../schemas/alert.ts';
import { parseConfig } from '../../../src/config/load.ts';
import {
  startAuthorizationServer,
  type AuthorizationServer,
} from '../../../src/demo/authorization-server.ts';
import { tokenHash } from '../../../src/formats/hash.ts';
import { createWorker, type Worker } from '../../../src/pipeline/worker.ts';
import { capturedLog } from '../response/support.ts';
import { startClickHouse, temporaryDirectory, type TestClickHouse } from '../../support/clickhouse.ts';
import { startKafka, type KafkaBroker } from '../../support/kafka.ts';
import { ordinaryTraffic } from '../../support/traffic.ts';

const EVENTS = 50_000;
const MINUTE = 60_000;
const suffix = randomBytes(4).toString('hex');
const ACCESS = `gateway-access-${suffix}`;
const AUTHORIZATION = `authorization-events-${suffix}`;
const EVENTS_BY_SUBJECT = `token-recall.events-${suffix}`;

const OWNER = {
  client_ip: '90.18.63.77',
  user_agent: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:142.0) Gecko/20100101 Firefox/142.0',
};
const THIEF = { client_ip: '68.183.180.9', user_agent: 'python-requests/2.32.3' };

/** The road once: Kafka → detection → ClickHouse and the authorization server, every part real. */
describe('from the access log to the dead token', () => {
  let kafka: KafkaBroker;
  let clickhouse: TestClickHouse;
  let server: AuthorizationServer;
  let worker: Worker;
  let reading: Promise<void>;
  let stolen: string;
  let untouched: string;
  const stop = new AbortController();
  const directories: Awaited<ReturnType<typeof temporaryDirectory>>[] = [];
  const log = capturedLog();
  const alerts: Alert[] = [];
  const receipts: Action[] = [];
  const waiting = new Map<string, () => void>();
  const confirmed = new Promise<void>((resolve) => waiting.set('confirmed', resolve));

  beforeAll(async () => {
    const web = {
      auth_method: 'client_secret_basic' as const,
      client_id: 'web',
      client_secret: randomBytes(24).toString('base64url'),
    };
    [kafka, clickhouse, server] = await Promise.all([
      startKafka(),
      startClickHouse(),
      startAuthorizationServer({ clients: [{ credential: web }], scopes: ['orders:read'] }),
    ]);
    for (const topic of [ACCESS, AUTHORIZATION, EVENTS_BY_SUBJECT, `${ACCESS}.dlq`])
      await kafka.createTopic(topic, 3);
    const data = await temporaryDirectory();
    directories.push(data);
    const { config, detectors } = parseConfig({
      data_dir: data.path,
      policy: { mode: 'enforce' },
      sources: [
        { kind: 'kafka', brokers: kafka.brokers, topics: [ACCESS] },
        {
          kind: 'kafka',
          brokers: kafka.brokers,
          topics: [AUTHORIZATION],
          stream: 'authorization',
        },
      ],
      // The producer keys records by nothing.
      repartition: { brokers: kafka.brokers, topic: EVENTS_BY_SUBJECT },
      authorization_servers: [{ issuer: server.issuer, credential: web }],
      custody: { key: randomBytes(32).toString('base64') },
      api: { port: 0 },
    });
    worker = await createWorker(
      { ...config, store: clickhouse.config },
      {
        log: log.log,
        detectors,
        observer: {
          alert: (alert) => alerts.push(alert),
          receipt: (action) => {
            receipts.push(action);
            if (action.state === 'confirmed') waiting.get('confirmed')?.();
          },
        },
      },
    );
    reading = worker.run(stop.signal);

    stolen = (await server.signIn({ client_id: 'web', subject: 'victim', scope: 'openid orders:read' }))
      .access_token;
    untouched = (await server.signIn({ client_id: 'web', subject: 'neighbour', scope: 'openid orders:read' }))
      .access_token;
  });

  afterAll(async () => {
    stop.abort();
    await reading.catch(() => undefined);
    await worker.stop();
    await Promise.all([kafka.stop(), clickhouse.stop(), server.stop()]);
    for (const directory of directories) await directory.remove();
  });

  /** A use of a real token, as the gateway would log it. */
  const use = (token: string, sub: string, at: number, from: typeof OWNER) =>
    JSON.stringify({
      time: at,
      request_id: `${sub}-${at}`,
      ...from,
      method: 'GET',
      path: '/api/orders',
      status: 200,
      token,
      iss: server.issuer,
      sub,
      client_id: 'web',
      scope: 'orders:read',
    });

  it(`stores ${EVENTS} events, once each, and has the misused token revoked`, async () => {
    const now = Date.now();
    const planted = [
      use(stolen, 'victim', now - 4 * MINUTE, OWNER),
      use(untouched, 'neighbour', now - 4 * MINUTE, OWNER),
      use(stolen, 'victim', now - 3 * MINUTE, OWNER),
      use(stolen, 'victim', now - 2 * MINUTE, THIEF),
      use(stolen, 'victim', now - 1 * MINUTE, OWNER),
      use(untouched, 'neighbour', now - 1 * MINUTE, OWNER),
      use(stolen, 'victim', now - 1000, THIEF),
    ];
    const ordinary = ordinaryTraffic({
      events: EVENTS - planted.length,
      users: 500,
      seed: 7,
      from: now - 5 * MINUTE,
      to: now,
      issuer: server.issuer,
    });
    await kafka.produce(AUTHORIZATION, [
      JSON.stringify({ time: now - 5 * MINUTE, type: 'token_issued', sub: 'victim', client_id: 'web' }),
    ]);
    await kafka.produce(ACCESS, [...ordinary], 'gateway');
    await kafka.produce(
      ACCESS,
      [...planted, 'this is no JSON', '{"time":"1970-01-01T00:00:00Z"}'],
      'gateway',
    );

    await confirmed;
    const counted = () =>
      worker.store.query<{ stored: number; distinct: number }>(
        `SELECT count() AS stored, uniqExact(event_id) AS distinct FROM access_events`,
      );
    await expect.poll(counted, { timeout: 60_000 }).toEqual([{ stored: EVENTS, distinct: EVENTS }]);
  });

  it('proves that the stolen token is dead and no other', async () => {
    expect(await server.isActive(stolen)).toBe(false);
    expect(await server.isActive(untouched)).toBe(true);
    expect(receipts.map(({ state, token_hash, sub }) => ({ state, token_hash, sub }))).toEqual([
      { state: 'confirmed', token_hash: tokenHash(stolen), sub: 'victim' },
    ]);
  });

  it('raised an alert for the victim, and for nobody else', async () => {
    const stored = await worker.reads.listAlerts({ limit: 100 });
    expect(new Set(stored.map(({ sub }) => sub))).toEqual(new Set(['victim']));
    expect(stored[0]).toMatchObject({
      status: 'open',
      decision: { action: 'revoke', handle: 'token', value: tokenHash(stolen), mode: 'enforce' },
    });
    const thief = stored[0]?.evidence.find(({ client_ip }) => client_ip === THIEF.client_ip);
    expect(thief).toMatchObject({ country: 'SG', network: 'hosting', user_agent: THIEF.user_agent });
  });

  it('keeps what is no event in the dead letters, with the reason', async () => {
    const letters = await worker.store.query<{ code: string }>('SELECT code FROM dead_letters ORDER BY code');
    expect(letters.map(({ code }) => code)).toEqual(['ERR_DECODE_JSON', 'ERR_DECODE_TIME']);
  });

  it('has kept no raw token: not in a table, not in the log, not in an alert, not in a topic of ours', async () => {
    const tables = await worker.store.query<{ name: string }>(
      `SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'`,
    );
    expect(tables.length).toBeGreaterThan(8);
    for (const { name } of tables) {
      const rows = await worker.store.query(`SELECT * FROM \`${name}\``);
      for (const token of [stolen, untouched]) expect(JSON.stringify(rows).includes(token), name).toBe(false);
    }
    const letters = await kafka.read(`${ACCESS}.dlq`, 2);
    const gathered = await kafka.read(EVENTS_BY_SUBJECT, EVENTS);
    const spoken = JSON.stringify([log.text(), alerts, receipts, letters, gathered]);
    for (const token of [stolen, untouched]) expect(spoken.includes(token)).toBe(false);
    const files = directories.map(({ path }) => path);
    const grep = promisify(execFile)('grep', ['-rlaF', '-e', stolen, '-e', untouched, ...files]);
    // grep exits 1 where it finds nothing.
    await expect(grep).rejects.toMatchObject({ code: 1, stdout: '' });
  });
});
