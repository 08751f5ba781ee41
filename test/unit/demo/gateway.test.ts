import { afterEach, expect, test } from 'vitest';
import { clientCredential } from '../../../schemas/config-authorization-server.ts';
import {
  startAuthorizationServer,
  type AuthorizationServer,
} from '../../../src/demo/authorization-server.ts';
import { createCall } from '../../../src/demo/caller.ts';
import { startGateway, type Gateway } from '../../../src/demo/gateway.ts';
import { createIntrospection } from '../../../src/demo/introspection.ts';
import { SCOPES } from '../../../src/demo/routes.ts';
import { createRevocation } from './revocation.ts';

const confidential = (client_id: string) => ({
  auth_method: 'client_secret_basic' as const,
  client_id,
  client_secret: crypto.randomUUID() + crypto.randomUUID(),
});
const app = confidential('app');
const resource = confidential('resource');
const by = { userAgent: 'test/1.0', address: '203.0.113.7' };

let server: AuthorizationServer | undefined;
let gateway: Gateway | undefined;
let log: Record<string, unknown>[] = [];

async function start() {
  log = [];
  server = await startAuthorizationServer({
    clients: [{ credential: app }, { credential: resource, grants: [] }],
    scopes: SCOPES,
  });
  const introspect = await createIntrospection(server.issuer, clientCredential.parse(resource));
  gateway = await startGateway({ introspect, log: (event) => log.push(event) });
  const { access_token: token } = await server.signIn({
    client_id: 'app',
    subject: 'user-1',
    scope: 'orders:read',
  });
  return { server, gateway, token, call: createCall(gateway.url) };
}

afterEach(async () => {
  await gateway?.stop();
  await server?.stop();
});

test('a live token with the scope of the route is let in, and the log says who it was', async () => {
  const { server, token, call } = await start();
  const { status } = await call(token, { method: 'GET', path: '/api/orders/17' }, by);
  expect(status).toBe(200);
  expect(log).toHaveLength(1);
  expect(log[0]).toMatchObject({
    client_ip: '127.0.0.1',
    forwarded_for: '203.0.113.7',
    route: '/api/orders/:id',
    path: '/api/orders/17',
    status: 200,
    user_agent: 'test/1.0',
    token,
    iss: server.issuer,
    sub: 'user-1',
    client_id: 'app',
    scope: 'orders:read',
  });
  expect(log[0]?.['sid']).toEqual(expect.any(String));
});

test('too little scope is 403 insufficient_scope (RFC 6750 section 3.1)', async () => {
  const { token, call } = await start();
  const reply = await call(token, { method: 'GET', path: '/api/admin/users' }, by);
  expect(reply.status).toBe(403);
  expect(reply.challenge).toContain('error="insufficient_scope"');
  expect(reply.challenge).toContain('scope="admin:read"');
  expect(log[0]).toMatchObject({ status: 403, sub: 'user-1' });
});

test('the request after a revocation is refused: nothing is cached', async () => {
  const { server, token, call } = await start();
  const orders = { method: 'GET', path: '/api/orders' };
  expect((await call(token, orders, by)).status).toBe(200);
  await createRevocation(server.issuer, clientCredential.parse(app))(token);
  const reply = await call(token, orders, by);
  expect(reply.status).toBe(401);
  expect(reply.challenge).toContain('error="invalid_token"');
  expect(log[1]).toMatchObject({ status: 401, token });
  expect(log[1]).not.toHaveProperty('sub');
});

test('no token is 401 without an error code, an unknown route 404', async () => {
  const { gateway, token, call } = await start();
  const response = await fetch(`${gateway.url}/api/orders`);
  expect(response.status).toBe(401);
  expect(response.headers.get('www-authenticate')).toBe('Bearer realm="demo"');
  expect((await call(token, { method: 'GET', path: '/nowhere' }, by)).status).toBe(404);
});

test('an authorization server that does not answer opens nothing: 503', async () => {
  const { server: stopped, token, call } = await start();
  await stopped.stop();
  server = undefined;
  expect((await call(token, { method: 'GET', path: '/api/orders' }, by)).status).toBe(503);
});
