import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Action } from '../../../schemas/action.ts';
import {
  startAuthorizationServer,
  type AuthorizationServer,
} from '../../../src/demo/authorization-server.ts';
import type { Outbox } from '../../../src/response/outbox.ts';
import { memoryStore, newSecret, recallOf, startFaultyFront, startOutbox, type Handler } from './support.ts';

const owner = { auth_method: 'client_secret_basic', client_id: 'shop', client_secret: newSecret() } as const;
const away: Handler = (_request, response) => response.writeHead(503).end();

let server: AuthorizationServer;
let front: Awaited<ReturnType<typeof startFaultyFront>>;
let other: Awaited<ReturnType<typeof startFaultyFront>>;
beforeAll(async () => {
  server = await startAuthorizationServer({ clients: [{ credential: owner }], scopes: ['read'] });
});
afterAll(() => server.stop());
beforeEach(async () => {
  front = await startFaultyFront(server.issuer);
  other = await startFaultyFront(server.issuer);
});
const opened: Outbox[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((outbox) => outbox.close(0)));
  await front.stop();
  await other.stop();
});

/** Recalls that are durable in a store, and an outbox with room for few of them. */
async function setUp(count: number, capacity: number) {
  const tokens = await Promise.all(
    Array.from({ length: count }, async () => {
      return (await server.clientCredentials({ client_id: 'shop', scope: 'read' })).access_token;
    }),
  );
  const memory = memoryStore();
  const reading = vi.spyOn(memory.reads, 'pendingActions');
  const started = startOutbox({
    ...{ memory, capacity },
    tokens: tokens.map((token) => ({ token })),
    servers: [front, other].map(({ issuer }) => ({
      ...{ issuer, credential: owner },
      circuit: { failures: 100_000, pause: '20ms' },
    })),
  });
  opened.push(started.outbox);
  const recall = (token: string, fields: Partial<Action> = {}) =>
    recallOf(token, { iss: front.issuer, client_id: 'shop', partition: 'p/1', ...fields });
  return { ...started, tokens, recall, reading };
}

const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 20_000 });
const tried = (actions: Action[]) =>
  new Set(actions.filter(({ attempts }) => attempts > 0).map((row) => row.action_id));

describe('an outbox with little room', () => {
  it('holds few actions, reads the others back from the store as there is room, and loses none', async () => {
    const { outbox, receipts, memory, tokens, recall, reading, audit } = await setUp(60, 8);
    const actions = tokens.map((token, index) => recall(token, { partition: `p/${index % 3}` }));
    await memory.store.write({ actions });
    front.faults.revoke = away;
    outbox.submit(actions, 'decided');
    expect(outbox.pending()).toBe(60);
    await eventually(() => tried(memory.actions()).size).toBe(4);
    // Room for one server: half of what there is. All of these go on being tried, and no other is.
    const attempts = () => memory.current().reduce((sum, row) => sum + row.attempts, 0);
    await eventually(attempts).toBeGreaterThan(20);
    expect(tried(memory.actions()).size).toBe(4);
    expect(reading).not.toHaveBeenCalled();
    expect(outbox.health()[front.issuer]?.detail).toContain('60 actions wait');

    front.faults.revoke = undefined;
    await outbox.idle();
    expect(outbox.pending()).toBe(0);
    expect(receipts.map(({ state }) => state)).toEqual(Array(60).fill('confirmed'));
    expect(audit()).toHaveLength(60);
    expect(new Set(reading.mock.calls.map(([partition]) => partition))).toEqual(
      new Set(['p/0', 'p/1', 'p/2']),
    );
    const active = await Promise.all(tokens.map((token) => server.isActive(token)));
    expect(active.filter(Boolean)).toEqual([]);
  });

  it('takes up what the store holds of a partition that it is given', async () => {
    const { outbox, receipts, memory, tokens, recall } = await setUp(30, 8);
    await memory.store.write({
      actions: tokens.map((token, index) => recall(token, index < 5 ? { iss: other.issuer } : {})),
    });
    outbox.resume('p/1');
    expect(outbox.pending()).toBeGreaterThan(0);
    await outbox.idle();
    expect(receipts.filter(({ state }) => state === 'confirmed')).toHaveLength(30);
  });

  it('has room for the recalls of a second server while the first is away with all it may hold', async () => {
    const { outbox, receipts, memory, tokens, recall } = await setUp(30, 8);
    const [last = ''] = tokens.splice(-1);
    const actions = tokens.map((token) => recall(token));
    await memory.store.write({ actions });
    front.faults.revoke = away;
    outbox.submit(actions, 'decided');
    await eventually(() => tried(memory.actions()).size).toBe(4);
    outbox.submit([recall(last, { iss: other.issuer })], 'decided');
    await eventually(() => receipts.length).toBe(1);
    expect(await server.isActive(last)).toBe(false);
  });

  it('waits for a store that is away, and goes on when it is back', async () => {
    const { outbox, receipts, memory, tokens, recall, setFault, refusals } = await setUp(20, 4);
    const actions = tokens.map((token) => recall(token));
    await memory.store.write({ actions });
    setFault('away');
    outbox.submit(actions, 'decided');
    await eventually(refusals).toBeGreaterThan(3);
    expect({ receipts, pending: outbox.pending() }).toEqual({ receipts: [], pending: 20 });
    setFault(undefined);
    await outbox.idle();
    expect(receipts).toHaveLength(20);
  });

  it('counts no more what it is not to carry out any more', async () => {
    const { outbox, memory, tokens, recall } = await setUp(12, 4);
    const actions = tokens.map((token, index) => recall(token, { partition: `p/${index % 2}` }));
    await memory.store.write({ actions });
    front.faults.revoke = away;
    outbox.submit(actions, 'decided');
    outbox.drop('p/0');
    await eventually(() => outbox.pending()).toBe(6);
    front.faults.revoke = undefined;
    await outbox.idle();
    const left = memory.current().filter(({ state }) => state === 'pending');
    expect(left.map(({ partition }) => partition)).toEqual(Array(6).fill('p/0'));
  });
});
