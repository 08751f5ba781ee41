import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Action } from '../../../schemas/action.ts';
import {
  startAuthorizationServer,
  type AuthorizationServer,
} from '../../../src/demo/authorization-server.ts';
import type { Outbox } from '../../../src/response/outbox.ts';
import { newSecret, recallOf, startFaultyFront, startOutbox, type Handler } from './support.ts';

const owner = { auth_method: 'client_secret_basic', client_id: 'shop', client_secret: newSecret() } as const;
const answer =
  (status: number, headers: Record<string, string> = {}): Handler =>
  (_request, response) =>
    response.writeHead(status, headers).end();

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

/** An outbox over two servers, the first with that circuit, and `count` recalls at each. */
async function setUp(
  circuit: { failures: number; pause: string },
  count: number,
  fields: Partial<Action> = {},
) {
  const issue = async () =>
    (await server.clientCredentials({ client_id: 'shop', scope: 'read' })).access_token;
  const [here, there] = [
    await Promise.all(Array.from({ length: count }, issue)),
    await Promise.all(Array.from({ length: count }, issue)),
  ];
  const started = startOutbox({
    tokens: [...here, ...there].map((token) => ({ token })),
    servers: [
      { issuer: front.issuer, credential: owner, circuit, concurrency: 2, timeout: '1s' },
      { issuer: other.issuer, credential: owner },
    ],
  });
  opened.push(started.outbox);
  const recalls = (tokens: string[], iss: string) =>
    tokens.map((token) => recallOf(token, { iss, client_id: 'shop', ...fields }));
  const at = (iss: string) => started.current().filter((row) => row.iss === iss);
  return {
    ...started,
    ...{ here, there, at },
    recallsHere: recalls(here, front.issuer),
    recallsThere: recalls(there, other.issuer),
  };
}

const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 20_000 });
const revocations = () => front.asked.filter((name) => name === 'revoke').length;
const allDead = async (tokens: string[]) =>
  (await Promise.all(tokens.map((token) => server.isActive(token)))).every((active) => !active);

describe('a server that fails', () => {
  it('is left alone after so many failures, without holding up another, and without spending attempts', async () => {
    const { outbox, receipts, metrics, at, ...recall } = await setUp({ failures: 3, pause: '1h' }, 8);
    expect(outbox.health()).toMatchObject({
      [front.issuer]: { ok: true, detail: 'circuit closed; 0 actions wait' },
    });
    front.faults.revoke = answer(503);
    outbox.submit([...recall.recallsHere, ...recall.recallsThere]);
    await eventually(() => receipts.length).toBe(8);
    await eventually(() => outbox.health()[front.issuer]?.ok).toBe(false);
    expect(await allDead(recall.there)).toBe(true);
    // Those under way when it opened may end, no more.
    expect(revocations()).toBeLessThanOrEqual(4);
    await eventually(() => at(front.issuer).reduce((sum, { attempts }) => sum + attempts, 0)).toBe(
      revocations(),
    );
    expect(outbox.health()).toMatchObject({
      [front.issuer]: {
        ok: false,
        detail: expect.stringMatching(
          /^circuit open; asked again in 3[56]\d\d s; 8 actions wait; last failure: .* answered 503$/,
        ) as string,
      },
      [other.issuer]: { ok: true },
    });
    const text = await metrics.registry.metrics();
    expect(text).toContain(`token_recall_responder_circuit_open{issuer="${front.issuer}"} 1`);
    expect(text).toContain(`token_recall_responder_circuit_open{issuer="${other.issuer}"} 0`);
    expect(text).toContain(
      `token_recall_responder_attempts_total{issuer="${front.issuer}",outcome="pending"} ${revocations()}`,
    );
    expect(text).toContain(
      `token_recall_responder_attempts_total{issuer="${other.issuer}",outcome="confirmed"} 8`,
    );
    expect(text).toContain('token_recall_outbox_pending 8');
    expect(text).toMatch(/token_recall_outbox_oldest_pending_seconds 0\.\d*[1-9]|seconds [1-9]/);
  });

  it('is tried by one when the pause is over; all others go when that one is answered', async () => {
    const { outbox, receipts, here, recallsHere } = await setUp({ failures: 2, pause: '50ms' }, 6);
    front.faults.revoke = answer(500);
    outbox.submit(recallsHere);
    await eventually(() => outbox.health()[front.issuer]?.ok).toBe(false);
    const waiting: (() => void)[] = [];
    const arrived = new Promise<void>((resolve) => {
      front.faults.revoke = (_request, response) => {
        waiting.push(() => response.writeHead(503).end());
        resolve();
      };
    });
    await arrived;
    expect(outbox.health()[front.issuer]?.detail).toContain('circuit half-open');
    const asked = revocations();
    // Later recalls do not try it either.
    outbox.submit([recallOf(here[0] ?? '', { iss: front.issuer, client_id: 'shop' })]);
    await expect.poll(() => outbox.pending()).toBe(7);
    expect(revocations()).toBe(asked);
    front.faults.revoke = undefined;
    waiting.forEach((end) => end());
    await outbox.idle();
    expect(receipts.map(({ state }) => state)).toEqual(Array(7).fill('confirmed'));
    expect(outbox.health()[front.issuer]).toEqual({ ok: true, detail: 'circuit closed; 0 actions wait' });
    expect(await allDead(here)).toBe(true);
  });

  it('is not asked before the time it names by Retry-After, by no action', async () => {
    const { outbox, here, recallsHere } = await setUp({ failures: 1000, pause: '1h' }, 4);
    let answeredAt = 0;
    front.faults.revoke = (request, response) => {
      answeredAt = Date.now();
      answer(429, { 'retry-after': '2' })(request, response);
    };
    const [first, ...others] = recallsHere;
    outbox.submit(first === undefined ? [] : [first]);
    await eventually(() => outbox.health()[front.issuer]?.detail).toMatch(/closed; asked again in [12] s/);
    const times: number[] = [];
    front.faults.revoke = (_request, response) => {
      times.push(Date.now());
      front.faults.revoke = undefined;
      response.writeHead(500).end();
    };
    outbox.submit(others);
    await outbox.idle();
    expect(times).toHaveLength(1);
    expect((times[0] ?? 0) - answeredAt).toBeGreaterThanOrEqual(2_000);
    expect(await allDead(here)).toBe(true);
  });

  it('does not keep a recall from being closed as moot when its token expires', async () => {
    const expires_at = Date.now() + 1_000;
    const { outbox, receipts, recallsHere } = await setUp({ failures: 1, pause: '1h' }, 5, { expires_at });
    front.faults.revoke = answer(503);
    outbox.submit(recallsHere);
    await outbox.idle();
    expect(receipts.map(({ state }) => state)).toEqual(Array(5).fill('moot'));
    expect(revocations()).toBeLessThanOrEqual(2);
  });
});

describe('introspection that fails', () => {
  it.each<[string, Handler]>([
    ['answers 503', answer(503)],
    ['hangs', () => undefined],
  ])('%s: does not keep tokens from being revoked', async (_name, fault) => {
    const { outbox, here, recallsHere, actions } = await setUp({ failures: 3, pause: '1h' }, 8);
    front.faults.introspect = fault;
    outbox.submit(recallsHere);
    await expect.poll(() => allDead(here), { timeout: 60_000 }).toBe(true);
    expect(outbox.health()[front.issuer]?.ok).toBe(true);
    // It is left alone too: nobody waits for its timeout again and again.
    expect(front.asked.filter((name) => name === 'introspect').length).toBeLessThanOrEqual(5);
    await eventually(() => actions().at(-1)?.detail).toMatch(/took the revocation.*the proof waits/);
  });
});
