import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import type { AccessEvent } from '../../../schemas/access-event.ts';
import type { Action } from '../../../schemas/action.ts';
import { authorizationServerConfig } from '../../../schemas/config-authorization-server.ts';
import { secret } from '../../../schemas/secret.ts';
import { createCustody } from '../../../src/response/custody.ts';
import { createOutbox } from '../../../src/response/outbox.ts';
import type { Attempt } from '../../../src/response/port.ts';
import { createRevocationResponder } from '../../../src/response/responder.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import type { StoreBatch } from '../../../src/store/port.ts';
import { RecallError } from '../../../src/errors.ts';
import { tokenHash } from '../../../src/formats/hash.ts';

export const newSecret = () => randomBytes(24).toString('base64url');

/** A configured server, from what a configuration file would say. */
export const configured = (input: Parameters<typeof authorizationServerConfig.parse>[0]) =>
  authorizationServerConfig.parse(input);

/** A logger whose output is kept, down to the least. */
export function capturedLog() {
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  });
  return { log: pino({ level: 'trace' }, stream), text: () => lines.join('') };
}

/** Custody that has seen `token` in the log of a gateway. */
export function custodyOf(...tokens: { token: string; exp?: number }[]) {
  const custody = createCustody({
    key: secret(randomBytes(32).toString('base64')),
    defaultTtl: 3_600_000,
    find: () => Promise.resolve(null),
  });
  for (const { token, exp } of tokens) {
    const event: AccessEvent = {
      kind: 'access',
      event_id: randomUUID(),
      time: Date.now(),
      client_ip: '192.0.2.1',
    };
    custody.seal(secret(token), { ...event, ...(exp !== undefined && { exp }) });
  }
  return custody;
}

/** The action that recalls `token`. */
export function recallOf(token: string, fields: Partial<Action> = {}): Action {
  const now = Date.now();
  return {
    action_id: randomUUID(),
    requested_by: 'policy',
    requested_at: now,
    responder: 'rfc7009',
    handle: 'token',
    value: tokenHash(token),
    token_hash: tokenHash(token),
    event_time: now,
    mode: 'enforce',
    state: 'pending',
    attempts: 0,
    reason: 'two continents at once',
    detail: 'waits for the responder',
    updated_at: now,
    ...fields,
  };
}

const RANKS = { pending: 0, accepted: 1, failed: 2, moot: 2, confirmed: 3 };

/** A store that keeps what is written in memory, and is away, or hangs, for as long as it is told. */
export function memoryStore() {
  const written: StoreBatch[] = [];
  let fault: 'away' | 'hanging' | undefined;
  let refused = 0;
  const answer = <T>(what: () => T): Promise<T> => {
    if (fault === 'hanging') return new Promise(() => undefined);
    if (fault === undefined) return Promise.resolve(what());
    refused += 1;
    return Promise.reject(new RecallError('ERR_STORE_UNAVAILABLE', 'ClickHouse is away'));
  };
  const actions = () => written.flatMap(({ actions = [] }) => actions);
  /** The row that counts of each action, as `FINAL` has it. */
  const current = () => {
    const rows = new Map<string, Action>();
    for (const row of actions()) {
      const known = rows.get(row.action_id);
      const ahead = known === undefined ? 1 : RANKS[row.state] - RANKS[known.state];
      if (known === undefined || ahead > 0 || (ahead === 0 && row.updated_at >= known.updated_at)) {
        rows.set(row.action_id, row);
      }
    }
    return [...rows.values()];
  };
  return {
    written,
    refusals: () => refused,
    setFault: (value: typeof fault) => (fault = value),
    actions,
    current,
    audit: () => written.flatMap(({ audit = [] }) => audit),
    store: {
      write: (batch: StoreBatch) => answer(() => void written.push(batch)),
    },
    reads: {
      actionsById: (ids: readonly string[]) =>
        answer(() => current().filter(({ action_id }) => ids.includes(action_id))),
      pendingActions: (partition: string, limit: number) =>
        answer(() => {
          const taken = new Map<string | undefined, number>();
          return current().filter(({ state, partition: of = '', iss }) => {
            if (state !== 'pending' || of !== partition) return false;
            taken.set(iss, (taken.get(iss) ?? 0) + 1);
            return (taken.get(iss) ?? 0) <= limit;
          });
        }),
    },
  };
}

export type MemoryStore = ReturnType<typeof memoryStore>;

/** An attempt that nobody listens to. */
export const attemptOf = (signal = new AbortController().signal): Attempt => ({
  signal,
  onSeenActive: () => undefined,
  onAsked: () => undefined,
  onTaken: () => undefined,
});

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A real HTTP server on loopback, for what a proper authorization server would not do. */
export async function startServer(handler: Handler) {
  const server = createServer(handler);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export const json = (response: ServerResponse, status: number, body: unknown, headers = {}): void => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
};

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Faults by path: `/revoke`, `/introspect` or the metadata. */
export type Faults = Partial<Record<'revoke' | 'introspect' | 'metadata', Handler | undefined>>;

/**
 * An authorization server that is `upstream` in all it does, except for the faults it is given.
 * `asked` lists the endpoints asked, in order; `forward` hands a request to `upstream`.
 */
export async function startFaultyFront(upstream: string) {
  const faults: Faults = {};
  const asked: string[] = [];
  const forward = async (request: IncomingMessage, endpoint: string) => {
    const { authorization } = request.headers;
    return fetch(`${upstream}/token/${endpoint}`, {
      method: 'POST',
      body: await bodyOf(request),
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        ...(authorization !== undefined && { authorization }),
      },
    });
  };
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const name =
      request.url === '/revoke' ? 'revoke' : request.url === '/introspect' ? 'introspect' : 'metadata';
    asked.push(name);
    const fault = faults[name];
    if (fault !== undefined) {
      fault(request, response);
      return;
    }
    if (name === 'metadata') {
      const issuer = front.url;
      const endpoints = {
        revocation_endpoint: `${issuer}/revoke`,
        introspection_endpoint: `${issuer}/introspect`,
      };
      json(response, 200, { issuer, ...endpoints });
      return;
    }
    const answer = await forward(request, name === 'revoke' ? 'revocation' : 'introspection');
    const type = answer.headers.get('content-type') ?? 'text/plain';
    response.writeHead(answer.status, { 'content-type': type }).end(Buffer.from(await answer.arrayBuffer()));
  };
  const front = await startServer((request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
  return { issuer: front.url, faults, asked, forward, stop: () => front.stop() };
}

export interface OutboxSetup {
  tokens?: { token: string; exp?: number }[];
  guard?: (action: Action) => string | null;
  /** What the configuration of the authorization servers says. */
  servers: Parameters<typeof authorizationServerConfig.parse>[0][];
  /** Of the process before; default: an empty one. */
  memory?: MemoryStore;
  capacity?: number;
}

/** An outbox over authorization servers and a store in memory, with all that comes out of it. */
export function startOutbox({ tokens = [], guard = () => null, ...setup }: OutboxSetup) {
  const { servers, memory = memoryStore(), capacity } = setup;
  const { log, text } = capturedLog();
  const metrics = createMetrics();
  const receipts: Action[] = [];
  const custody = custodyOf(...tokens);
  const outbox = createOutbox({
    responder: createRevocationResponder({ servers: servers.map(configured), custody, log }),
    store: memory.store,
    reads: memory.reads,
    ...{ guard, log, metrics, capacity },
    onReceipt: (action) => receipts.push(action),
    backoff: { first: 5, longest: 20 },
  });
  return { ...memory, memory, outbox, receipts, metrics, logged: text };
}
