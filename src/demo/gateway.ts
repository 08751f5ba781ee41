import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { messageOf } from '../errors.ts';
import { findRoute, type Route } from './routes.ts';

/** What introspection said of a token (RFC 7662 section 2.2). */
export interface Introspected {
  active: boolean;
  scope?: string | undefined;
  claims: Record<string, unknown>;
}

export interface GatewayOptions {
  /** Asks the authorization server about a token (RFC 7662). Throws where it can't be reached. */
  introspect: (token: string) => Promise<Introspected>;
  /** Takes the canonical access event of each answered request. It carries the raw token: do not write it down. */
  log: (event: Record<string, unknown>) => void;
}

export interface Gateway {
  readonly url: string;
  /** Requests answered so far. */
  requests(): number;
  stop(): Promise<void>;
}

interface Answer {
  status: number;
  headers: Record<string, string>;
  body: unknown;
  claims: Record<string, unknown>;
}

/**
 * Starts a small resource server that protects {@link ROUTES} with bearer tokens (RFC 6750). It asks introspection
 * for every request and caches nothing, so a revoked token is refused from the next request on.
 *
 * It logs the peer as `client_ip` and X-Forwarded-For as it came: which hops count is for the reader of the log to say.
 */
export async function startGateway({ introspect, log }: GatewayOptions): Promise<Gateway> {
  let requests = 0;
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const started = performance.now();
    const time = Date.now();
    const path = new URL(request.url ?? '/', 'http://gateway').pathname;
    const token = bearerToken(request);
    const route = findRoute(request.method ?? '', path);
    request.resume(); // Bodies are of no interest here, but an unread one would block the connection.
    const answer = await decide(route, token, introspect);
    const body = answer.status === 204 ? '' : JSON.stringify(answer.body);
    const requestId = randomUUID();
    requests += 1;
    log({
      time,
      client_ip: request.socket.remoteAddress ?? '127.0.0.1',
      forwarded_for: request.headers['x-forwarded-for'],
      request_id: requestId,
      gateway: 'demo-gateway',
      host: request.headers.host,
      method: request.method,
      path,
      route: route?.path,
      status: answer.status,
      user_agent: request.headers['user-agent'],
      bytes_out: Buffer.byteLength(body),
      duration_ms: Math.round((performance.now() - started) * 1000) / 1000,
      token,
      token_type: token === undefined ? undefined : 'Bearer',
      ...answer.claims,
    });
    response.writeHead(answer.status, {
      ...(body === '' ? {} : { 'content-type': 'application/json' }),
      ...answer.headers,
      'x-request-id': requestId,
    });
    response.end(body);
  };
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : new Error(messageOf(error)));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests: () => requests,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

/** The token of `Authorization: Bearer` (RFC 6750 section 2.1), or undefined. */
function bearerToken(request: IncomingMessage): string | undefined {
  return /^Bearer +([A-Za-z0-9\-._~+/]+=*)$/i.exec(request.headers.authorization ?? '')?.[1];
}

/** Answers as RFC 6750 section 3 says: no token 401, dead token 401 invalid_token, too little scope 403. */
async function decide(
  route: Route | undefined,
  token: string | undefined,
  introspect: GatewayOptions['introspect'],
): Promise<Answer> {
  const refuse = (status: number, challenge: string, claims: Record<string, unknown> = {}): Answer => ({
    status,
    headers: { 'www-authenticate': `Bearer realm="demo"${challenge}` },
    body: { status },
    claims,
  });
  if (token === undefined) return refuse(401, '');
  let known: Introspected;
  try {
    known = await introspect(token);
  } catch {
    // Fail closed: an unknown token opens nothing.
    return { status: 503, headers: { 'retry-after': '1' }, body: { status: 503 }, claims: {} };
  }
  if (!known.active) return refuse(401, ', error="invalid_token"');
  const { claims } = known;
  if (route === undefined) return { status: 404, headers: {}, body: { status: 404 }, claims };
  if (!(known.scope ?? '').split(' ').includes(route.scope)) {
    return refuse(403, `, error="insufficient_scope", scope="${route.scope}"`, claims);
  }
  const status = route.method === 'POST' ? 201 : route.method === 'DELETE' ? 204 : 200;
  return { status, headers: {}, body: { route: route.path, items: [] }, claims };
}
