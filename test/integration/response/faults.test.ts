import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  startAuthorizationServer,
  type AuthorizationServer,
} from '../../../src/demo/authorization-server.ts';
import { createRevocationResponder } from '../../../src/response/responder.ts';
import {
  attemptOf,
  capturedLog,
  configured,
  custodyOf,
  json,
  newSecret,
  recallOf,
  startFaultyFront,
  startServer,
  type Handler,
} from './support.ts';

const owner = { auth_method: 'client_secret_basic', client_id: 'shop', client_secret: newSecret() } as const;
const answer =
  (status: number, headers: Record<string, string> = {}): Handler =>
  (_request, response) =>
    response.writeHead(status, headers).end();
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
afterEach(() => front.stop());

async function newRecall(options: object = {}, given?: string) {
  const token = given ?? (await server.clientCredentials({ client_id: 'shop', scope: 'read' })).access_token;
  const config = configured({ issuer: front.issuer, credential: owner, ...options });
  const responder = createRevocationResponder({
    servers: [config],
    custody: custodyOf({ token }),
    log: capturedLog().log,
  });
  const action = recallOf(token, { iss: config.issuer, client_id: 'shop' });
  return { token, execute: (signal?: AbortSignal) => responder.execute(action, attemptOf(signal)) };
}

const unavailable = (message: RegExp, retryAfter?: number) => ({
  code: 'ERR_RESPONDER_UNAVAILABLE',
  message: expect.stringMatching(message) as string,
  ...(retryAfter !== undefined && { retryAfter }),
});
const refused = (message: RegExp) => ({
  code: 'ERR_RESPONDER_REFUSED',
  message: expect.stringMatching(message) as string,
});

describe('a revocation endpoint that is away', () => {
  it.each<[string, Handler, RegExp, number | undefined]>([
    [
      '503 and says for how long',
      answer(503, { 'retry-after': '7' }),
      /answered 503, asks to wait 7 s/,
      7_000,
    ],
    ['429 and says for how long', answer(429, { 'retry-after': '3' }), /answered 429/, 3_000],
    ['503 and does not say for how long', answer(503), /answered 503$/, undefined],
    ['500', answer(500), /answered 500$/, undefined],
    ['408', answer(408), /answered 408$/, undefined],
    ['nothing', silent, /no answer within 1000 ms/, undefined],
    ['by hanging up', (_request, response) => response.destroy(), /cannot be reached/, undefined],
  ])('answers %s, recovers, and is asked again with success', async (_name, fault, message, retryAfter) => {
    const { token, execute } = await newRecall(fault === silent ? { timeout: '1s' } : {});
    front.faults.revoke = fault;
    await expect(execute()).rejects.toMatchObject({ ...unavailable(message), retryAfter });
    expect(await server.isActive(token)).toBe(true);
    front.faults.revoke = undefined;
    expect((await execute()).state).toBe('confirmed');
    expect(await server.isActive(token)).toBe(false);
  });

  it('asks to wait until a date', async () => {
    const { execute } = await newRecall();
    const date = new Date(Date.now() + 60_000).toUTCString();
    front.faults.revoke = answer(503, { 'retry-after': date });
    const error: unknown = await execute().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ERR_RESPONDER_UNAVAILABLE' });
    expect((error as { retryAfter: number }).retryAfter).toBeGreaterThan(30_000);
    expect((error as { retryAfter: number }).retryAfter).toBeLessThanOrEqual(60_000);
  });

  it('cannot be reached at all', async () => {
    const gone = await startServer(silent);
    await gone.stop();
    const { execute } = await newRecall({ issuer: gone.url });
    await expect(execute()).rejects.toMatchObject(unavailable(/ECONNREFUSED/));
  });

  it('is let go of when the process stops', async () => {
    const { execute } = await newRecall({ timeout: '1h' });
    const stop = new AbortController();
    front.faults.revoke = () => stop.abort();
    await expect(execute(stop.signal)).rejects.toMatchObject(unavailable(/stopping/));
  });
});

describe('a revocation endpoint that is none', () => {
  it.each<[string, Handler, RegExp]>([
    ['404', answer(404), /answered 404.*check its address/],
    [
      'a redirect, which a token does not follow',
      answer(302, { location: 'https://thief.example/' }),
      /answered 302/,
    ],
    ['an error of its own', (_q, response) => json(response, 400, { error: 'tough_luck' }), /answered 400/],
  ])('answers %s', async (_name, fault, message) => {
    const { execute } = await newRecall();
    front.faults.revoke = fault;
    await expect(execute()).rejects.toMatchObject(refused(message));
  });
});

describe('introspection as proof', () => {
  it('is tried again while it is away, without a second revocation doing harm', async () => {
    const { execute } = await newRecall();
    let looks = 0;
    // Fails after the look that comes before the revocation.
    front.faults.introspect = (request, response) => {
      looks += 1;
      if (looks === 1) json(response, 200, { active: true });
      else answer(503, { 'retry-after': '1' })(request, response);
    };
    await expect(execute()).rejects.toMatchObject(unavailable(/introspection_endpoint.*503/, 1_000));
    front.faults.introspect = undefined;
    expect((await execute()).state).toBe('confirmed');
  });

  it('does not hold up the revocation when it hangs', async () => {
    const { token, execute } = await newRecall({ timeout: '1h' });
    front.faults.introspect = silent;
    const stop = new AbortController();
    const ended = execute(stop.signal).catch(() => undefined);
    await expect.poll(() => server.isActive(token), { timeout: 10_000 }).toBe(false);
    stop.abort();
    await ended;
  });

  it('is missing: taken, and said not to be proven', async () => {
    const { token, execute } = await newRecall();
    front.faults.metadata = (_request, response) =>
      json(response, 200, { issuer: front.issuer, revocation_endpoint: `${front.issuer}/revoke` });
    expect(await execute()).toMatchObject({
      state: 'accepted',
      detail: expect.stringMatching(/not proven: the server has no introspection endpoint/) as string,
    });
    expect(await server.isActive(token)).toBe(false);
  });

  it.each<[string, Handler]>([
    ['refused', (_request, response) => json(response, 401, { error: 'invalid_client' })],
    ['no introspection', (_request, response) => json(response, 200, { hello: 'world' })],
    [
      'no JSON',
      (_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
    ],
  ])('is %s: taken, and said not to be proven', async (_name, fault) => {
    const { execute } = await newRecall();
    front.faults.introspect = fault;
    expect(await execute()).toMatchObject({
      state: 'accepted',
      detail: expect.stringMatching(/not proven: introspection was refused/) as string,
    });
  });

  it('waits a moment for a server whose nodes learn of it one by one', async () => {
    const { execute } = await newRecall();
    let looks = 0;
    front.faults.introspect = (_request, response) => json(response, 200, { active: ++looks < 4 });
    expect((await execute()).state).toBe('confirmed');
  });

  it('says that a JWT goes on living where the server says yes to everything', async () => {
    const part = () => Buffer.from(newSecret()).toString('base64url');
    const { execute } = await newRecall({}, `${part()}.${part()}.${part()}`);
    front.faults.introspect = (_request, response) => json(response, 200, { active: true });
    expect(await execute()).toMatchObject({
      state: 'failed',
      detail: expect.stringMatching(/still active: it is a JWT/) as string,
    });
  });
});

describe('discovery', () => {
  it('is done once, and again after a failure', async () => {
    const { execute } = await newRecall();
    await execute();
    await execute();
    expect(front.asked.filter((name) => name === 'metadata')).toHaveLength(1);
    front.faults.revoke = answer(500);
    await execute().catch(() => undefined);
    front.faults.revoke = undefined;
    await execute();
    expect(front.asked.filter((name) => name === 'metadata')).toHaveLength(2);
  });

  it.each([
    '/.well-known/oauth-authorization-server/tenants/one',
    '/tenants/one/.well-known/openid-configuration',
    '/.well-known/openid-configuration/tenants/one',
  ])('finds the metadata of an issuer with a path at %s', async (location) => {
    const issuer = `${front.issuer}/tenants/one`;
    front.faults.metadata = (request, response) =>
      request.url === location
        ? json(response, 200, {
            issuer,
            revocation_endpoint: `${front.issuer}/revoke`,
            introspection_endpoint: `${front.issuer}/introspect`,
          })
        : json(response, 404, {});
    const { execute } = await newRecall({ issuer });
    expect((await execute()).state).toBe('confirmed');
  });

  it('does not believe the metadata of another issuer', async () => {
    front.faults.metadata = (_request, response) =>
      json(response, 200, { issuer: 'https://thief.example', revocation_endpoint: `${front.issuer}/revoke` });
    const { token, execute } = await newRecall();
    await expect(execute()).rejects.toMatchObject(refused(/no metadata of .*issuer/));
    expect(front.asked).not.toContain('revoke');
    expect(await server.isActive(token)).toBe(true);
  });

  it('does not send a token in clear to another machine', async () => {
    front.faults.metadata = (_request, response) =>
      json(response, 200, { issuer: front.issuer, revocation_endpoint: 'http://192.0.2.1/revoke' });
    const { execute } = await newRecall();
    await expect(execute()).rejects.toMatchObject(refused(/must be https/));
  });

  it('waits for a server that is away, and says what to set where there is no document', async () => {
    const { execute } = await newRecall();
    front.faults.metadata = answer(503);
    await expect(execute()).rejects.toMatchObject(unavailable(/metadata .* answered 503/));
    front.faults.metadata = answer(404);
    await expect(execute()).rejects.toMatchObject(refused(/set metadata_url or revocation_endpoint/));
    front.faults.metadata = undefined;
    expect((await execute()).state).toBe('confirmed');
  });

  it('does without a document where the endpoints are configured', async () => {
    front.faults.metadata = answer(404);
    const revocation_endpoint = `${front.issuer}/revoke`;
    const alone = await newRecall({ revocation_endpoint });
    expect((await alone.execute()).state).toBe('accepted');
    const both = await newRecall({
      revocation_endpoint,
      introspection_endpoint: `${front.issuer}/introspect`,
    });
    expect((await both.execute()).state).toBe('confirmed');
  });

  it('reads the document that is configured', async () => {
    const metadata_url = `${front.issuer}/somewhere/else.json`;
    front.faults.metadata = (request, response) =>
      request.url === '/somewhere/else.json'
        ? json(response, 200, {
            issuer: server.issuer,
            revocation_endpoint: `${front.issuer}/revoke`,
            introspection_endpoint: `${front.issuer}/introspect`,
          })
        : json(response, 404, {});
    const { execute } = await newRecall({ issuer: server.issuer, metadata_url });
    expect((await execute()).state).toBe('confirmed');
    expect(front.asked).toContain('revoke');
  });
});
