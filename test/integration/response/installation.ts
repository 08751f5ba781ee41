import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import type { Action } from '../../../schemas/action.ts';
import {
  startAuthorizationServer,
  type AuthorizationServer,
} from '../../../src/demo/authorization-server.ts';
import type { Outbox } from '../../../src/response/outbox.ts';
import {
  newSecret,
  recallOf,
  startFaultyFront,
  startOutbox,
  type Handler,
  type OutboxSetup,
} from './support.ts';

const owner = { auth_method: 'client_secret_basic', client_id: 'shop', client_secret: newSecret() } as const;

export const away: Handler = (_request, response) => response.writeHead(503).end();
/** Polls for longer than a loaded machine takes. */
export const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 20_000 });

/** Workers of one installation, for the tests of a file: one authorization server, a front with faults for each test. */
export function installation() {
  let server: AuthorizationServer;
  let front: Awaited<ReturnType<typeof startFaultyFront>>;
  const opened: Outbox[] = [];
  beforeAll(async () => {
    server = await startAuthorizationServer({ clients: [{ credential: owner }], scopes: ['read'] });
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    front = await startFaultyFront(server.issuer);
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((outbox) => outbox.close(0)));
    await front.stop();
  });

  return {
    /** The front of the test that runs. */
    front: () => front,
    isActive: (token: string) => server.isActive(token),
    newToken: async () => (await server.clientCredentials({ client_id: 'shop', scope: 'read' })).access_token,
    /** A worker: an outbox of its own over a store that others may share. */
    worker: (setup: Omit<OutboxSetup, 'servers'>, options: object = {}) => {
      const servers = [{ issuer: front.issuer, credential: owner, circuit: { pause: '20ms' }, ...options }];
      const started = startOutbox({ ...setup, servers });
      opened.push(started.outbox);
      return started;
    },
    recall: (token: string, fields: Partial<Action> = {}) =>
      recallOf(token, { iss: front.issuer, client_id: 'shop', partition: 'p/1', ...fields }),
    revocations: () => front.asked.filter((name) => name === 'revoke').length,
    /** Lets the server revoke, and does not answer before it is told to. */
    heldAnswers: () => {
      const waiting: (() => void)[] = [];
      const held: Handler = (request, response) => {
        void front.forward(request, 'revocation').then(({ status }) => {
          waiting.push(() => response.writeHead(status).end());
        });
      };
      return {
        held,
        answered: () => waiting.length,
        release: () => waiting.splice(0).forEach((end) => end()),
      };
    },
  };
}
