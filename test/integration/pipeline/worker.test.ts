import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ConfigInput } from '../../../schemas/config.ts';
import type { Action } from '../../../schemas/action.ts';
import { parseConfig } from '../../../src/config/load.ts';
import {
  startAuthorizationServer,
  type AuthorizationServer,
} from '../../../src/demo/authorization-server.ts';
import { tokenHash } from '../../../src/formats/hash.ts';
import { createWorker, type Worker } from '../../../src/pipeline/worker.ts';
import { launchEmbedded } from '../../../src/store/embedded/launch.ts';
import { migrate } from '../../../src/store/migrate.ts';
import {
  silent,
  startClickHouse,
  storeConfig,
  temporaryDirectory,
  type TestClickHouse,
} from '../../support/clickhouse.ts';
import { secret } from '../../../schemas/secret.ts';

const OWNER = [
  '90.18.63.77',
  'Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0',
] as const;
const THIEF = ['68.183.180.9', 'python-requests/2.32.3'] as const;
const MINUTE = 60_000;
const web = {
  auth_method: 'client_secret_basic' as const,
  client_id: 'web',
  client_secret: randomBytes(24).toString('base64url'),
};

let clickhouse: TestClickHouse;
let server: AuthorizationServer;
let folder: Awaited<ReturnType<typeof temporaryDirectory>>;
const key = randomBytes(32).toString('base64');
const running: Worker[] = [];

beforeAll(async () => {
  folder = await temporaryDirectory();
  server = await startAuthorizationServer({ clients: [{ credential: web }], scopes: ['orders:read'] });
});
// Each with a past of its own: a thief of many tokens of a client looks like a backend of it.
beforeEach(async () => {
  clickhouse = await startClickHouse();
});
afterEach(async () => {
  for (const worker of running.splice(0)) await worker.stop();
  await clickhouse.stop();
});
afterAll(async () => {
  await Promise.all([server.stop(), folder.remove()]);
});

/** A worker in enforce mode on the ClickHouse of the test, with a promise of the first final receipt. */
async function start(policy: ConfigInput['policy'] = {}, store = clickhouse.config) {
  const { config, detectors } = parseConfig({
    data_dir: folder.path,
    policy: { mode: 'enforce', ...policy },
    authorization_servers: [{ issuer: server.issuer, credential: web }],
    custody: { key },
    api: { enabled: false },
  });
  const receipts: Action[] = [];
  const worker = await createWorker(
    { ...config, store },
    { log: silent, detectors, observer: { receipt: (action) => receipts.push(action) } },
  );
  running.push(worker);
  return { worker, receipts };
}

let people = 0;
/** Somebody with a real token. */
async function somebody() {
  people += 1;
  const sub = `user-${people}`;
  const { access_token } = await server.signIn({
    client_id: 'web',
    subject: sub,
    scope: 'openid orders:read',
  });
  return { sub, token: access_token };
}

/** The log of a theft that ended `ago` ms before now: owner, owner, thief, owner, thief. */
function theft(who: { sub: string; token: string }, options: { ago?: number; raw?: boolean } = {}): string {
  const { ago = 1000, raw = true } = options;
  const last = Date.now() - ago;
  return [OWNER, OWNER, THIEF, OWNER, THIEF]
    .map(([client_ip, user_agent], index) =>
      JSON.stringify({
        time: last - (4 - index) * MINUTE,
        client_ip,
        user_agent,
        sub: who.sub,
        client_id: 'web',
        iss: server.issuer,
        status: 200,
        ...(raw ? { token: who.token } : { token_hash: tokenHash(who.token) }),
      }),
    )
    .join('\n');
}

async function alertOf(worker: Worker, sub: string) {
  const found = await worker.reads.listAlerts({ sub, limit: 10 });
  expect(found).toHaveLength(1);
  return found[0]!;
}
const actionsOn = (worker: Worker, who: { token: string }) =>
  worker.reads.listActions({ value: tokenHash(who.token), limit: 10 });

describe('what a worker does about a stolen token', () => {
  it('revokes it, and records the proof', async () => {
    const { worker, receipts } = await start();
    const victim = await somebody();
    await worker.push('access', theft(victim));
    await worker.idle();
    expect(await server.isActive(victim.token)).toBe(false);
    expect(receipts.map(({ state }) => state)).toEqual(['confirmed']);
    expect(await actionsOn(worker, victim)).toMatchObject([{ state: 'confirmed', requested_by: 'policy' }]);
    expect((await alertOf(worker, victim.sub)).decision).toMatchObject({ action: 'revoke', mode: 'enforce' });
  });

  it('decides in shadow mode, and asks nobody', async () => {
    const { worker, receipts } = await start({ mode: 'shadow' });
    const victim = await somebody();
    await worker.push('access', theft(victim));
    await worker.idle();
    expect((await alertOf(worker, victim.sub)).decision).toMatchObject({ action: 'revoke', mode: 'shadow' });
    expect(await server.isActive(victim.token)).toBe(true);
    expect(await actionsOn(worker, victim)).toEqual([]);
    expect(receipts).toEqual([]);
  });

  it('says what is missing where the log does not carry the token', async () => {
    const { worker } = await start();
    const victim = await somebody();
    await worker.push('access', theft(victim, { raw: false }));
    const { decision } = await alertOf(worker, victim.sub);
    expect(decision).toMatchObject({ action: 'revoke', value: tokenHash(victim.token) });
    expect(decision.missing?.join()).toMatch(/token/);
    expect(await actionsOn(worker, victim)).toEqual([]);
  });

  it.each([
    ['an old log', { max_event_age: '1s' }, 5000, /old, the limit is 1 s/],
    ['a client that must never be revoked', { never_revoke: { clients: ['web'] } }, 1000, /never-revoke/],
  ])('alerts on %s and leaves the token alone', async (_what, policy, ago, why) => {
    const { worker } = await start(policy);
    const victim = await somebody();
    await worker.push('access', theft(victim, { ago }));
    await worker.idle();
    const { decision } = await alertOf(worker, victim.sub);
    expect(decision.action).toBe('alert');
    expect(decision.reason).toMatch(why);
    expect(await server.isActive(victim.token)).toBe(true);
  });

  it('takes up after a restart what was decided and not yet asked', async () => {
    const victim = await somebody();
    const first = await start({ mode: 'shadow' });
    await first.worker.push('access', theft(victim));
    const { alert_id } = await alertOf(first.worker, victim.sub);
    const now = Date.now();
    const action: Action = {
      action_id: `left-over-${alert_id}`,
      alert_id,
      requested_by: 'policy',
      requested_at: now,
      responder: 'rfc7009',
      handle: 'token',
      value: tokenHash(victim.token),
      token_hash: tokenHash(victim.token),
      iss: server.issuer,
      client_id: 'web',
      sub: victim.sub,
      event_time: now,
      mode: 'enforce',
      state: 'pending',
      attempts: 0,
      reason: 'decided before the crash',
      detail: '',
      updated_at: now,
    };
    await first.worker.store.write({ actions: [action] });
    await first.worker.stop();

    const second = await start();
    await second.worker.idle();
    expect(await server.isActive(victim.token)).toBe(false);
    expect(await actionsOn(second.worker, victim)).toMatchObject([
      { action_id: action.action_id, state: 'confirmed' },
    ]);
  });
});

describe('a store that goes away', () => {
  it('holds the batch back until it is durable, then acts once', async () => {
    const data = await temporaryDirectory();
    const options = { dataDir: data.path, database: 'token_recall', httpPort: 0 };
    let engine = await launchEmbedded(options);
    const url = new URL(engine.endpoint.url);
    const { username, password } = engine.credentials.writer;
    const store = { ...storeConfig({ url: url.href, username }), password: secret(password) };
    await migrate(store);
    const { worker, receipts } = await start({}, store);
    const victim = await somebody();

    await engine.stop();
    let durable = false;
    const pushed = worker.push('access', theft(victim)).then(() => (durable = true));
    // The token is found out at once, but nothing is asked before the evidence is stored.
    await expect
      .poll(() =>
        worker.store.ping().then(
          () => true,
          () => false,
        ),
      )
      .toBe(false);
    expect(durable).toBe(false);
    expect(await server.isActive(victim.token)).toBe(true);

    engine = await launchEmbedded({ ...options, httpPort: Number(url.port) });
    await pushed;
    await worker.idle();
    expect(receipts.map(({ state }) => state)).toEqual(['confirmed']);
    const [stored] = await worker.store.query<{ n: number }>('SELECT count() AS n FROM access_events');
    expect(stored).toEqual({ n: 5 });
    await worker.stop();
    await engine.stop();
    await data.remove();
  });
});
