import { randomBytes } from 'node:crypto';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Action } from '../../../schemas/action.ts';
import { secret } from '../../../schemas/secret.ts';
import {
  startAuthorizationServer,
  type AuthorizationServer,
} from '../../../src/demo/authorization-server.ts';
import { createCustody } from '../../../src/response/custody.ts';
import { createOutbox } from '../../../src/response/outbox.ts';
import { createRevocationResponder } from '../../../src/response/responder.ts';
import type { OpenedStore } from '../../../src/store/open.ts';
import { createReads, type Reads } from '../../../src/store/reads.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { silent, startClickHouse, type TestClickHouse } from '../../support/clickhouse.ts';
import type { KilledWorkerInput } from './killed-worker.ts';
import { configured, newSecret, recallOf, startFaultyFront } from './support.ts';

const owner = { auth_method: 'client_secret_basic', client_id: 'shop', client_secret: newSecret() } as const;
const key = randomBytes(32).toString('base64');

let clickhouse: TestClickHouse;
let store: OpenedStore;
let reads: Reads;
let server: AuthorizationServer;
let front: Awaited<ReturnType<typeof startFaultyFront>>;
beforeAll(async () => {
  clickhouse = await startClickHouse();
  store = await clickhouse.open();
  reads = createReads(store);
  server = await startAuthorizationServer({ clients: [{ credential: owner }], scopes: ['read'] });
});
afterAll(async () => {
  await server.stop();
  await store.close();
  await clickhouse.stop();
});
beforeEach(async () => {
  front = await startFaultyFront(server.issuer);
});
const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await front.stop();
});

const custodyOver = () =>
  createCustody({
    key: secret(key),
    defaultTtl: 3_600_000,
    find: (id, iss) => reads.sealedToken(id, iss),
  });
const serverConfig = () => ({ issuer: front.issuer, credential: owner });

describe('actions in ClickHouse', () => {
  it('keep partition, expiry and when the token was seen active, or that these are unknown', async () => {
    const now = Date.now();
    const known = recallOf('a', { partition: 'g/7', expires_at: now + 5, seen_active_at: now - 5, iss: 'i' });
    const bare = recallOf('b');
    await store.write({ actions: [known, bare] });
    const [first, second] = [await reads.getAction(known.action_id), await reads.getAction(bare.action_id)];
    expect([first, second]).toEqual([known, bare]);
    expect(await reads.pendingActions('g/7')).toEqual([known]);
    expect(await reads.pendingActions('')).toEqual([bare]);
    expect(await reads.pendingActions('g/8')).toEqual([]);
  });

  it('are read oldest first, so many of each issuer, and by any number of ids', async () => {
    const actions = Array.from({ length: 250 }, (_value, index) =>
      recallOf('c', {
        partition: 'many',
        iss: `issuer-${index % 2}`,
        requested_at: 1_800_000_000_000 - index,
      }),
    );
    await store.write({ actions });
    const oldest = await reads.pendingActions('many', 3);
    expect(oldest).toEqual(actions.slice(-6).reverse());
    const ids = actions.map(({ action_id }) => action_id);
    expect(await reads.actionsById([...ids, 'nobody'])).toHaveLength(250);
    expect(await reads.actionsById([])).toEqual([]);
  });

  it.each(['moot', 'failed', 'accepted', 'confirmed'] as const)(
    'stay %s, whatever comes after',
    async (state) => {
      const asked = recallOf('d', { partition: `ends ${state}` });
      const final: Action = { ...asked, state, updated_at: asked.updated_at + 1 };
      await store.write({ actions: [final] });
      await store.write({ actions: [{ ...asked, updated_at: asked.updated_at + 60_000 }] });
      expect(await reads.actionsById([asked.action_id])).toEqual([final]);
      expect(await reads.pendingActions(`ends ${state}`)).toEqual([]);
    },
  );
});

/** A token in custody with its pending recall, both durable. */
async function newRecall(partition: string): Promise<{ token: string; action: Action }> {
  const token = (await server.clientCredentials({ client_id: 'shop', scope: 'read' })).access_token;
  const action = recallOf(token, { iss: front.issuer, client_id: 'shop', partition });
  const event = { kind: 'access', event_id: 'e1', time: Date.now(), client_ip: '192.0.2.1' } as const;
  const row = custodyOver().seal(secret(token), { ...event, iss: front.issuer, exp: Date.now() + 600_000 });
  await store.write({ actions: [action], custody: row === null ? [] : [row] });
  return { token, action };
}

function startWorker(partition: string): ChildProcess {
  const { password, ...rest } = clickhouse.config;
  const input: KilledWorkerInput = { store: rest, server: serverConfig(), partition };
  const child = fork(new URL('killed-worker.ts', import.meta.url), [JSON.stringify(input)], {
    execArgv: ['--import', 'tsx'],
    env: { PATH: process.env['PATH'], STORE_PASSWORD: password?.reveal() ?? '', CUSTODY_KEY: key },
  });
  children.push(child);
  return child;
}

/** The next owner of the partition, in this process. */
async function carryOutTheRest(partition: string): Promise<Action[]> {
  const receipts: Action[] = [];
  const outbox = createOutbox({
    responder: createRevocationResponder({
      ...{ servers: [configured(serverConfig())], custody: custodyOver(), log: silent },
    }),
    ...{ store, reads, log: silent, metrics: createMetrics() },
    guard: () => null,
    onReceipt: (receipt) => receipts.push(receipt),
  });
  outbox.resume(partition);
  await outbox.idle();
  await outbox.close(1_000);
  return receipts;
}

const auditOf = ({ value }: Action) =>
  store.query<{ outcome: string }>('SELECT outcome FROM audit_log FINAL WHERE target = {target:String}', {
    target: `token ${value}`,
  });

describe('a worker killed with SIGKILL', () => {
  it('between the revocation and its receipt: the next owner proves it all the same, and records it once', async () => {
    const { token, action } = await newRecall('killed/1');
    // The server revokes; its answer never arrives.
    let revoked = false;
    front.faults.revoke = (request) => {
      void front.forward(request, 'revocation').then(() => (revoked = true));
    };
    const child = startWorker('killed/1');
    await expect.poll(() => revoked, { timeout: 60_000 }).toBe(true);
    await expect
      .poll(async () => (await reads.getAction(action.action_id))?.seen_active_at, { timeout: 10_000 })
      .toEqual(expect.any(Number));
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await server.isActive(token)).toBe(false);
    expect(await reads.pendingActions('killed/1')).toHaveLength(1);

    front.faults.revoke = undefined;
    expect(await carryOutTheRest('killed/1')).toEqual([
      expect.objectContaining({
        action_id: action.action_id,
        state: 'confirmed',
        detail: expect.stringMatching(/active at .*, inactive after/) as string,
      }),
    ]);
    expect(await carryOutTheRest('killed/1')).toEqual([]);
    expect(await auditOf(action)).toEqual([{ outcome: 'confirmed' }]);
  });

  it('before the server took anything: the next owner asks again', async () => {
    const { token, action } = await newRecall('killed/2');
    const asked = new Promise<void>((resolve) => {
      front.faults.revoke = () => resolve();
    });
    const child = startWorker('killed/2');
    await asked;
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await server.isActive(token)).toBe(true);
    front.faults.revoke = undefined;
    expect(await carryOutTheRest('killed/2')).toEqual([
      expect.objectContaining({ action_id: action.action_id, state: 'confirmed' }),
    ]);
    expect(await server.isActive(token)).toBe(false);
    expect(await auditOf(action)).toEqual([{ outcome: 'confirmed' }]);
  });
});
