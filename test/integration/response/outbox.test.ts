import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Action } from '../../../schemas/action.ts';
import {
  startAuthorizationServer,
  type AuthorizationServer,
} from '../../../src/demo/authorization-server.ts';
import type { Outbox } from '../../../src/response/outbox.ts';
import {
  json,
  newSecret,
  recallOf,
  startFaultyFront,
  startOutbox,
  type Handler,
  type OutboxSetup,
} from './support.ts';

const owner = { auth_method: 'client_secret_basic', client_id: 'shop', client_secret: newSecret() } as const;
const away: Handler = (_request, response) => response.writeHead(503).end();
const silent: Handler = () => undefined;

let server: AuthorizationServer;
let front: Awaited<ReturnType<typeof startFaultyFront>>;
beforeAll(async () => {
  server = await startAuthorizationServer({ clients: [{ credential: owner }], scopes: ['read'] });
});
afterAll(() => server.stop());
beforeEach(async () => {
  front = await startFaultyFront(server.issuer);
});
const opened: Outbox[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((outbox) => outbox.close(0)));
  await front.stop();
});

const newToken = async () =>
  (await server.clientCredentials({ client_id: 'shop', scope: 'read' })).access_token;

function setUp({ server: options = {}, ...setup }: Omit<OutboxSetup, 'servers'> & { server?: object } = {}) {
  const started = startOutbox({
    ...setup,
    servers: [{ issuer: front.issuer, credential: owner, circuit: { pause: '20ms' }, ...options }],
  });
  opened.push(started.outbox);
  return started;
}

const recall = (token: string, fields: Partial<Action> = {}) =>
  recallOf(token, { iss: front.issuer, client_id: 'shop', ...fields });
/** Polls for longer than a loaded machine takes. */
const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 20_000 });
const revocations = () => front.asked.filter((name) => name === 'revoke').length;

describe('outbox', () => {
  it('carries an action out and records it once, with its line in the audit trail, before it tells', async () => {
    const token = await newToken();
    const { outbox, receipts, current, audit, metrics } = setUp({ tokens: [{ token }] });
    const action = recall(token);
    outbox.submit([action]);
    expect(outbox.pending()).toBe(1);
    await outbox.idle();
    expect(outbox.pending()).toBe(0);
    expect(await server.isActive(token)).toBe(false);
    expect(current()).toEqual([
      expect.objectContaining({ action_id: action.action_id, state: 'confirmed', attempts: 1 }),
    ]);
    expect(audit()).toEqual([
      expect.objectContaining({ actor: 'policy', target: `token ${action.value}`, outcome: 'confirmed' }),
    ]);
    expect(receipts).toEqual(current());
    expect((await metrics.receipts.get()).values).toEqual([
      expect.objectContaining({ labels: { responder: 'rfc7009', state: 'confirmed' }, value: 1 }),
    ]);
  });

  it('ignores an action that is under way, finished or not pending', async () => {
    const token = await newToken();
    const { outbox, receipts } = setUp({ tokens: [{ token }] });
    const action = recall(token);
    outbox.submit([action, action]);
    outbox.submit([action, { ...recall(token), state: 'failed' }]);
    await outbox.idle();
    outbox.submit([action]);
    await outbox.idle();
    expect(revocations()).toBe(1);
    expect(receipts).toHaveLength(1);
  });

  it('goes on until a server that is away is back, recording how it fares', async () => {
    const token = await newToken();
    const { outbox, actions, audit } = setUp({ tokens: [{ token }] });
    front.faults.revoke = away;
    outbox.submit([recall(token)]);
    await eventually(() => actions().length).toBeGreaterThanOrEqual(3);
    expect(actions().at(-1)).toMatchObject({
      state: 'pending',
      detail: expect.stringContaining('503') as string,
    });
    expect(audit()).toEqual([]);
    front.faults.revoke = undefined;
    await outbox.idle();
    const final = actions().at(-1);
    expect(final?.state).toBe('confirmed');
    expect(final?.attempts).toBe(revocations());
    expect(await server.isActive(token)).toBe(false);
  });

  it('asks the guard before each attempt, and never asks the server once it objects', async () => {
    const token = await newToken();
    let reason: string | null = null;
    const { outbox, actions } = setUp({ tokens: [{ token }], guard: () => reason });
    front.faults.revoke = away;
    outbox.submit([recall(token)]);
    await eventually(() => actions().length).toBeGreaterThanOrEqual(1);
    reason = 'subject user-1 is on the never-revoke list';
    await eventually(() => actions().at(-1)?.state).toBe('failed');
    const asked = revocations();
    front.faults.revoke = undefined;
    await outbox.idle();
    expect(actions().at(-1)?.detail).toBe(`not asked: ${reason}`);
    expect(actions().at(-1)?.attempts).toBe(asked);
    expect(revocations()).toBe(asked);
    expect(await server.isActive(token)).toBe(true);
  });

  it('never carries out what is in shadow mode, whatever the guard says', async () => {
    const token = await newToken();
    const { outbox, actions } = setUp({ tokens: [{ token }] });
    outbox.submit([recall(token, { mode: 'shadow' })]);
    await outbox.idle();
    expect(actions()).toEqual([
      expect.objectContaining({
        state: 'failed',
        attempts: 0,
        detail: expect.stringContaining('shadow') as string,
      }),
    ]);
    expect(front.asked).toEqual([]);
    expect(await server.isActive(token)).toBe(true);
  });

  it('closes an action that will never be taken', async () => {
    const token = await newToken();
    const { outbox, current, logged, metrics } = setUp({ tokens: [{ token }] });
    front.faults.revoke = (_request, response) => json(response, 401, { error: 'invalid_client' });
    outbox.submit([recall(token)]);
    await outbox.idle();
    expect(current()).toEqual([
      expect.objectContaining({
        state: 'failed',
        attempts: 1,
        detail: expect.stringContaining('invalid_client') as string,
      }),
    ]);
    expect(logged()).toContain('recall failed');
    expect((await metrics.unfulfilledRecalls.get()).values).toEqual([
      expect.objectContaining({ labels: { issuer: front.issuer, state: 'failed' }, value: 1 }),
    ]);
  });

  it.each(['the action', 'custody'])(
    'closes as moot what has expired meanwhile, as %s says, and tells',
    async (who) => {
      const token = await newToken();
      const expires_at = Date.now() + 1_500;
      const said = who === 'custody' ? { exp: expires_at } : {};
      const { outbox, current, audit, receipts, metrics } = setUp({
        tokens: [{ token, ...said }],
        // The circuit stays closed, so that attempts go on.
        server: { circuit: { failures: 10_000 } },
      });
      front.faults.revoke = away;
      outbox.submit([recall(token, who === 'custody' ? {} : { expires_at })]);
      await outbox.idle();
      expect(Date.now()).toBeGreaterThanOrEqual(expires_at);
      expect(receipts).toEqual([
        expect.objectContaining({
          state: 'moot',
          detail: expect.stringContaining('expired by itself') as string,
        }),
      ]);
      expect(current()).toEqual(receipts);
      expect(audit()).toEqual([expect.objectContaining({ outcome: 'moot' })]);
      expect(revocations()).toBe(receipts[0]?.attempts);
      expect(revocations()).toBeGreaterThan(0);
      expect((await metrics.unfulfilledRecalls.get()).values).toEqual([
        expect.objectContaining({ labels: { issuer: front.issuer, state: 'moot' }, value: 1 }),
      ]);
    },
  );

  it('calls failed, not moot, what custody never held', async () => {
    const { outbox, receipts } = setUp();
    outbox.submit([recall(newSecret(), { expires_at: Date.now() + 3_600_000 })]);
    await outbox.idle();
    expect(receipts).toEqual([expect.objectContaining({ state: 'failed', attempts: 0 })]);
    expect(front.asked).toEqual([]);
  });

  it('does not call failed what the server took, where the proof stayed away until the token expired', async () => {
    const token = await newToken();
    const expires_at = Date.now() + 5_000;
    const { outbox, actions } = setUp({ tokens: [{ token, exp: expires_at }] });
    front.faults.introspect = away;
    outbox.submit([recall(token, { expires_at })]);
    await eventually(() => actions().at(-1)?.detail).toMatch(/took the revocation.*the proof waits.*503/);
    await outbox.idle();
    expect(actions().at(-1)).toMatchObject({
      state: 'accepted',
      detail: expect.stringContaining('not proven') as string,
    });
    expect(await server.isActive(token)).toBe(false);
  });

  it('tells of a receipt only when it is durable, and keeps it while the store is away', async () => {
    const token = await newToken();
    const { outbox, current, receipts, setFault, refusals } = setUp({ tokens: [{ token }] });
    setFault('away');
    outbox.submit([recall(token)], 'decided');
    await eventually(refusals).toBeGreaterThanOrEqual(3);
    expect(await server.isActive(token)).toBe(false);
    expect(receipts).toEqual([]);
    expect(outbox.pending()).toBe(1);
    setFault(undefined);
    await outbox.idle();
    expect(current()).toEqual([expect.objectContaining({ state: 'confirmed' })]);
    expect(receipts).toHaveLength(1);
    expect(revocations()).toBe(1);
  });

  it('asks a server for no more at once than configured, and lets no slow server hold up another', async () => {
    const tokens = await Promise.all(Array.from({ length: 6 }, newToken));
    const other = await newToken();
    const { outbox, receipts } = setUp({
      tokens: [...tokens, other].map((token) => ({ token })),
      server: { concurrency: 2 },
    });
    let most = 0;
    let now = 0;
    const waiting: (() => void)[] = [];
    front.faults.revoke = (_request, response) => {
      most = Math.max(most, (now += 1));
      waiting.push(() => {
        now -= 1;
        response.writeHead(200).end();
      });
    };
    outbox.submit(tokens.map((token) => recall(token)));
    // Of an unknown server: fails at once, although all places at the first are taken.
    outbox.submit([recall(other, { iss: 'https://other.example' })]);
    await eventually(() => receipts.length).toBe(1);
    const draining = setInterval(() => waiting.shift()?.(), 20);
    await eventually(revocations).toBe(6);
    await outbox.idle();
    clearInterval(draining);
    expect(most).toBe(2);
  });

  it('closes within its deadline and leaves what is unfinished pending for the next process', async () => {
    const [hanging, waiting, late] = [await newToken(), await newToken(), await newToken()];
    const tokens = [hanging, waiting, late].map((token) => ({ token }));
    const first = setUp({ tokens, server: { timeout: '1h' } });
    front.faults.revoke = away;
    const actions = [recall(hanging), recall(waiting)];
    first.outbox.submit(actions.slice(1));
    await eventually(() => first.actions().length).toBeGreaterThanOrEqual(1);
    front.faults.revoke = silent;
    first.outbox.submit(actions.slice(0, 1));
    await eventually(() => front.asked.at(-1)).toBe('revoke');
    await first.outbox.close(50);
    first.outbox.submit([recall(late)]);
    expect(first.receipts).toEqual([]);
    expect(first.actions().every(({ state }) => state === 'pending')).toBe(true);

    front.faults.revoke = undefined;
    const second = setUp({ tokens });
    second.outbox.submit(actions);
    await second.outbox.idle();
    expect(second.receipts.map(({ state }) => state)).toEqual(['confirmed', 'confirmed']);
    expect(await server.isActive(hanging)).toBe(false);
    expect(await server.isActive(late)).toBe(true);
  });

  it('lets an attempt under way end when it closes', async () => {
    const token = await newToken();
    const { outbox, receipts } = setUp({ tokens: [{ token }] });
    let closing: Promise<void> | undefined;
    front.faults.revoke = (_request, response) => {
      closing = outbox.close(60_000);
      response.writeHead(200).end();
    };
    front.faults.introspect = (_request, response) => json(response, 200, { active: closing === undefined });
    outbox.submit([recall(token)]);
    await outbox.idle();
    await closing;
    expect(receipts).toEqual([expect.objectContaining({ state: 'confirmed' })]);
  });
});
