import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  startAuthorizationServer,
  type AuthorizationServer,
} from '../../../src/demo/authorization-server.ts';
import { memoryStore, newSecret, recallOf, startFaultyFront, startOutbox, type Handler } from './support.ts';

const owner = { auth_method: 'client_secret_basic', client_id: 'shop', client_secret: newSecret() } as const;
const answer =
  (status: number, headers: Record<string, string> = {}): Handler =>
  (_request, response) =>
    response.writeHead(status, headers).end();

const FAULTS: Record<string, Handler | undefined> = {
  none: undefined,
  'answers 500': answer(500),
  'answers 503': answer(503),
  'answers 429 and asks for no wait': answer(429, { 'retry-after': '0' }),
  'hangs up': (_request, response) => response.destroy(),
  hangs: () => undefined,
};
const fault = fc.constantFrom(...Object.keys(FAULTS));
/** What happens for a while, and how it ends. */
const step = fc.record({
  revoke: fault,
  introspect: fault,
  metadata: fault,
  store: fc.constantFrom(undefined, undefined, 'away' as const),
  requests: fc.integer({ min: 0, max: 4 }),
  then: fc.constantFrom(
    'nothing',
    'is killed',
    'loses the partition',
    'stops',
    'is given the partition twice',
  ),
});

let server: AuthorizationServer;
beforeAll(async () => {
  server = await startAuthorizationServer({ clients: [{ credential: owner }], scopes: ['read'] });
});
afterAll(() => server.stop());

const newToken = async () =>
  (await server.clientCredentials({ client_id: 'shop', scope: 'read' })).access_token;

it('any sequence of faults ends in one receipt an action, and its token dead unless it expired', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 6 }), async (steps) => {
      const front = await startFaultyFront(server.issuer);
      const memory = memoryStore();
      const tokens = await Promise.all([newToken(), newToken(), newToken()]);
      const actions = tokens.map((token, index) =>
        recallOf(token, {
          ...{ iss: front.issuer, client_id: 'shop', partition: 'p/1' },
          // The last one expires while all this goes on, or soon after.
          ...(index === 2 && { expires_at: Date.now() + 150 }),
        }),
      );
      const circuit = { failures: 3, pause: '10ms' };
      const start = () =>
        startOutbox({
          memory,
          tokens: tokens.map((token) => ({ token })),
          servers: [{ issuer: front.issuer, credential: owner, timeout: '50ms', circuit, concurrency: 2 }],
        });
      const workers = [start()];
      const last = () => workers.at(-1)?.outbox;
      await memory.store.write({ actions });
      last()?.submit(actions, 'decided');

      for (const { revoke, introspect, metadata, store, requests, then } of steps) {
        const until = front.asked.length + requests;
        Object.assign(front.faults, {
          ...{ revoke: FAULTS[revoke], introspect: FAULTS[introspect], metadata: FAULTS[metadata] },
        });
        memory.setFault(store);
        // So many requests, or as many as there are: while the store is away nothing may be left to ask.
        await expect
          .poll(() => front.asked.length >= until || last()?.pending() === 0 || store === 'away', {
            timeout: 10_000,
            interval: 2,
          })
          .toBe(true);
        if (then === 'loses the partition') last()?.drop('p/1');
        if (then === 'is killed') await last()?.close(0);
        if (then === 'stops') await last()?.close(100);
        if (then === 'is killed' || then === 'stops') workers.push(start());
        if (then !== 'nothing') last()?.resume('p/1');
        if (then === 'is given the partition twice') last()?.submit(actions);
      }
      Object.assign(front.faults, { revoke: undefined, introspect: undefined, metadata: undefined });
      memory.setFault(undefined);
      await last()?.idle();

      const receipts = workers.flatMap((worker) => worker.receipts);
      const ids = actions.map(({ action_id }) => action_id).sort();
      const recorded = memory.actions().filter(({ state }) => state !== 'pending');
      expect(recorded.map(({ action_id }) => action_id).sort()).toEqual(ids);
      expect(receipts.map(({ action_id }) => action_id).sort()).toEqual(ids);
      expect(memory.audit()).toHaveLength(ids.length);
      const expires = actions[2]?.action_id;
      for (const { action_id, state } of recorded) {
        expect(['confirmed', 'accepted', ...(action_id === expires ? ['moot'] : [])]).toContain(state);
      }
      const moot = recorded.some(({ state }) => state === 'moot');
      const alive = await Promise.all(tokens.map((token) => server.isActive(token)));
      expect(alive.slice(0, moot ? 2 : 3)).not.toContain(true);

      await last()?.close(0);
      await front.stop();
    }),
    { numRuns: Number(process.env['FAULT_RUNS'] ?? 25) },
  );
});
