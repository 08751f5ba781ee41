import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest, onRequestAsyncHookHandler, RouteOptions } from 'fastify';
import type { ApiCredential, Role } from './credentials.ts';
import { Problem, problemResponse } from './problem.ts';

/** What a route asks of its caller. */
export type Access = 'public' | Role;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may call the route. Every route says it, or the server does not start. */
    access?: Access;
  }
  interface FastifyRequest {
    /** Name of the credential that called; empty on public routes. */
    actor: string;
  }
}

const GRANTS: Readonly<Record<Role, readonly Role[]>> = {
  reader: ['reader'],
  operator: ['reader', 'operator', 'ingest'],
  ingest: ['ingest'],
};

/** RFC 6750 section 2.1; the scheme in any case (RFC 9110 section 11.1). */
const BEARER = /^Bearer +([A-Za-z0-9\-._~+/]+=*) *$/i;

const sha256 = (text: string) => createHash('sha256').update(text).digest();

/** 401 and 403 with the challenge of RFC 6750 section 3. */
function challenge(
  status: 401 | 403,
  code: 'unauthorized' | 'invalid_token' | 'insufficient_role',
  needed: Role,
): Problem {
  const error = {
    unauthorized: '',
    invalid_token: ', error="invalid_token"',
    insufficient_role: `, error="insufficient_scope", scope="${needed}"`,
  };
  const detail = {
    unauthorized: 'Send a credential: `Authorization: Bearer …`.',
    invalid_token: 'The credential is not known here.',
    insufficient_role: `The credential may not do this; it takes the role ${needed}.`,
  };
  return new Problem(status, code, detail[code], {
    headers: { 'www-authenticate': `Bearer realm="token-recall"${error[code]}` },
  });
}

/**
 * Makes the check of a request's credential. Digests are compared, in constant time and all of them,
 * so that the time taken tells nothing about a configured token.
 */
function createAuthenticator(credentials: readonly ApiCredential[]) {
  const known = credentials.map(({ name, role, token }) => ({ name, role, digest: sha256(token.reveal()) }));
  return (request: FastifyRequest, needed: Role): string => {
    const presented = BEARER.exec(request.headers.authorization ?? '')?.[1];
    if (presented === undefined) throw challenge(401, 'unauthorized', needed);
    const digest = sha256(presented);
    const [match] = known.filter((credential) => timingSafeEqual(credential.digest, digest));
    if (match === undefined) throw challenge(401, 'invalid_token', needed);
    if (!GRANTS[match.role].includes(needed)) throw challenge(403, 'insufficient_role', needed);
    return match.name;
  };
}

const LIBRARY_ROUTES = /^\/docs(\/|$)/;

function accessOf(route: RouteOptions): Access {
  const access = route.config?.access ?? (LIBRARY_ROUTES.test(route.url) ? 'public' : undefined);
  if (access === undefined) throw new Error(`route ${route.url} does not say who may call it`);
  return access;
}

/** Adds what every route answers besides its own. */
function describeAccess(route: RouteOptions, access: Access): void {
  const schema = (route.schema ??= {});
  const others = { default: problemResponse('Any other problem; `code` says which') };
  if (access === 'public') {
    schema.response = { ...(schema.response as object | undefined), ...others };
    return;
  }
  schema.security = [{ bearer: [] }];
  schema.response = {
    ...(schema.response as object | undefined),
    ...others,
    401: problemResponse('No credential, or an unknown one'),
    403: problemResponse(`The credential has not the role ${access}`),
  };
}

/**
 * Guards every route registered from here on by its `config.access`, before its body is read.
 * A route that does not say who may call it fails the start.
 */
export function guardRoutes(app: FastifyInstance, credentials: readonly ApiCredential[]): void {
  const authenticate = createAuthenticator(credentials);
  app.decorateRequest('actor', '');
  app.addHook('onRoute', (route) => {
    const access = accessOf(route);
    if (route.method !== 'HEAD' && !LIBRARY_ROUTES.test(route.url)) describeAccess(route, access);
    if (access === 'public') return;
    const check: onRequestAsyncHookHandler = (request) => {
      request.actor = authenticate(request, access);
      return Promise.resolve();
    };
    route.onRequest = [...[route.onRequest ?? []].flat(), check];
  });
}
