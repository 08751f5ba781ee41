import fastify from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { guardRoutes, type Access } from '../../../src/api/access.ts';
import { as, startApi, type Harness } from './harness.ts';

/** Who may call what. A route that is not here fails the test: it must be thought about. */
const ROUTES: Record<string, Access> = {
  'GET /healthz': 'public',
  'GET /readyz': 'public',
  'GET /openapi.json': 'public',
  'GET /v1/detectors': 'public',
  'GET /v1/detectors/:id': 'public',
  'GET /metrics': 'reader',
  'GET /v1/alerts': 'reader',
  'GET /v1/alerts/:id': 'reader',
  'GET /v1/alerts/:id/ocsf': 'reader',
  'GET /v1/tokens/:id': 'reader',
  'GET /v1/tokens/:id/uses': 'reader',
  'POST /v1/tokens/lookup': 'reader',
  'GET /v1/recalls': 'reader',
  'GET /v1/recalls/:id': 'reader',
  'GET /v1/dead-letters': 'reader',
  'GET /v1/dead-letters/:id': 'reader',
  'POST /v1/dead-letters/redrive': 'operator',
  'POST /v1/alerts/:id/acknowledge': 'operator',
  'POST /v1/alerts/:id/resolve': 'operator',
  'POST /v1/recalls': 'operator',
  'POST /v1/events/access': 'ingest',
  'POST /v1/events/authorization': 'ingest',
};

const GRANTED = {
  public: ['nobody', 'stranger', 'reader', 'operator', 'ingest'],
  reader: ['reader', 'operator'],
  operator: ['operator'],
  ingest: ['operator', 'ingest'],
} as const;

const CALLERS = {
  nobody: {},
  stranger: { authorization: 'Bearer 0123456789abcdef0123' },
  basic: { authorization: 'Basic cmVhZGVyOnJlYWRlcg==' },
  empty: { authorization: 'Bearer ' },
  twice: { authorization: `${as('operator').authorization} x` },
  reader: as('reader'),
  operator: as('operator'),
  ingest: as('ingest'),
};

let api: Harness;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

/** Every route as the router has it: a HEAD beside each GET, and nothing forgotten. */
function registered(): string[] {
  const lines: string[] = [];
  const path: string[] = [];
  for (const line of api.app.printRoutes({ commonPrefix: false }).split('\n')) {
    const match = /^([│ ]*)[├└]── (\S*) \((.+)\)$/.exec(line);
    if (match === null) continue;
    const [, indent = '', part = '', methods = ''] = match;
    const depth = indent.length / 4;
    path.length = depth;
    path.push(part);
    for (const method of methods.split(', ')) lines.push(`${method} ${path.join('')}`);
  }
  return lines;
}

it('covers every route there is', () => {
  const own = registered().filter((route) => !/ \/docs(\/|$)/.test(route) && !route.startsWith('OPTIONS'));
  const expected = Object.keys(ROUTES).flatMap((route) =>
    route.startsWith('GET ') ? [route, route.replace('GET', 'HEAD')] : [route],
  );
  expect(own.sort()).toEqual(expected.sort());
});

const cells = Object.entries(ROUTES).flatMap(([route, access]) =>
  Object.keys(CALLERS).flatMap((caller) => {
    const [method = '', url = ''] = route.split(' ');
    return (method === 'GET' ? ['GET', 'HEAD'] : [method]).map((verb) => ({ verb, url, access, caller }));
  }),
);

describe('who may call what', () => {
  it.each(cells)('$verb $url by $caller', async ({ verb, url, access, caller }) => {
    const answer = await api.app.inject({
      method: verb as 'GET',
      url: url.replace(':id', 'some-id'),
      headers: CALLERS[caller as keyof typeof CALLERS],
    });
    if ((GRANTED[access] as readonly string[]).includes(caller) || access === 'public') {
      expect([401, 403]).not.toContain(answer.statusCode);
    } else if (['reader', 'operator', 'ingest'].includes(caller)) {
      expect(answer.statusCode).toBe(403);
      expect(answer.headers['www-authenticate']).toContain('error="insufficient_scope"');
    } else {
      expect(answer.statusCode).toBe(401);
      expect(answer.headers['www-authenticate']).toMatch(/^Bearer realm="token-recall"/);
    }
  });

  it('is asked before the body is read', async () => {
    const answer = await api.app.inject({
      method: 'POST',
      url: '/v1/events/access',
      headers: { 'content-type': 'application/json' },
      payload: '{ not json',
    });
    expect(answer.statusCode).toBe(401);
  });

  it('names the scheme in any case, as HTTP does', async () => {
    const { authorization } = as('reader');
    const headers = { authorization: authorization.replace('Bearer', 'bEARER') };
    expect((await api.app.inject({ url: '/metrics', headers })).statusCode).toBe(200);
  });
});

it('does not take a route that says nothing of its callers', () => {
  const app = fastify();
  guardRoutes(app, []);
  expect(() => app.get('/forgotten', () => 'secret')).toThrow(/\/forgotten does not say who may call it/);
});
