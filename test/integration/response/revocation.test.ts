import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  startAuthorizationServer,
  type AuthorizationServer,
} from '../../../src/demo/authorization-server.ts';
import { RecallError } from '../../../src/errors.ts';
import { createRevocationResponder } from '../../../src/response/responder.ts';
import { attemptOf, capturedLog, configured, custodyOf, newSecret, recallOf } from './support.ts';

const pem = (type: 'rsa' | 'ed25519' | 'ec') => {
  const { privateKey } =
    type === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : type === 'ec'
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : generateKeyPairSync('ed25519');
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
};

const credentials = {
  basic: { auth_method: 'client_secret_basic', client_id: 'basic', client_secret: `${newSecret()}:+ %&` },
  post: { auth_method: 'client_secret_post', client_id: 'post', client_secret: newSecret() },
  rsa: { auth_method: 'private_key_jwt', client_id: 'rsa', private_key: pem('rsa') },
  pss: { auth_method: 'private_key_jwt', client_id: 'pss', private_key: pem('rsa'), algorithm: 'PS256' },
  ec: {
    auth_method: 'private_key_jwt',
    client_id: 'ec',
    private_key: pem('ec'),
    algorithm: 'ES256',
    key_id: 'k1',
  },
  ed: { auth_method: 'private_key_jwt', client_id: 'ed', private_key: pem('ed25519'), algorithm: 'EdDSA' },
  public: { auth_method: 'none', client_id: 'public' },
} as const;
const gateway = {
  auth_method: 'client_secret_basic',
  client_id: 'gateway',
  client_secret: newSecret(),
} as const;
const RESOURCE = 'https://api.example/';

let server: AuthorizationServer;
let strict: AuthorizationServer;
beforeAll(async () => {
  const clients = [...Object.values(credentials), gateway].map((credential) => ({
    credential,
    ...(credential.auth_method === 'none' && { grants: ['authorization_code'] as const }),
  }));
  server = await startAuthorizationServer({ clients, scopes: ['read', 'write'], jwtResources: [RESOURCE] });
  strict = await startAuthorizationServer({ clients, scopes: ['read'], foreignRevocation: 'refuse' });
});
afterAll(async () => {
  await server.stop();
  await strict.stop();
});

const signIn = (client_id: string, at = server) => at.signIn({ client_id, subject: 'user-1', scope: 'read' });

function responderFor(token: string, options: object = {}, at = server) {
  const config = configured({ issuer: at.issuer, credential: gateway, ...options });
  return createRevocationResponder({
    servers: [config],
    custody: custodyOf({ token }),
    log: capturedLog().log,
  });
}

describe('revocation at a real authorization server', () => {
  it.each(Object.values(credentials))(
    'kills a token as its owner, authenticated by $auth_method $algorithm, and proves it',
    async (credential) => {
      const { client_id } = credential;
      const { access_token } = await signIn(client_id);
      expect(await server.isActive(access_token)).toBe(true);
      const responder = responderFor(access_token, { clients: [credential] });
      const receipt = await responder.execute(
        recallOf(access_token, { iss: server.issuer, client_id }),
        attemptOf(),
      );
      expect(receipt).toMatchObject({
        state: 'confirmed',
        detail: expect.stringContaining('active before') as string,
      });
      expect(await server.isActive(access_token)).toBe(false);
    },
  );

  it('kills the token of a client that acts for itself', async () => {
    const { access_token } = await server.clientCredentials({ client_id: 'basic', scope: 'read' });
    const responder = responderFor(access_token, { clients: [credentials.basic], default: true });
    // The log names no issuer: the default server it is.
    const receipt = await responder.execute(recallOf(access_token, { client_id: 'basic' }), attemptOf());
    expect(receipt.state).toBe('confirmed');
    expect(await server.isActive(access_token)).toBe(false);
  });

  it('does not take the 200 of a server that ignored another client for a revocation', async () => {
    const { access_token } = await signIn('basic');
    const responder = responderFor(access_token);
    const receipt = await responder.execute(
      recallOf(access_token, { iss: server.issuer, client_id: 'basic' }),
      attemptOf(),
    );
    expect(receipt.state).toBe('failed');
    expect(receipt.detail).toMatch(/still active.*only the owner.*client basic.*`clients`/);
    expect(await server.isActive(access_token)).toBe(true);
  });

  it('says what to change where the server refuses another client', async () => {
    const { access_token } = await signIn('basic', strict);
    const responder = responderFor(access_token, {}, strict);
    await expect(
      responder.execute(recallOf(access_token, { iss: strict.issuer, client_id: 'basic' }), attemptOf()),
    ).rejects.toMatchObject({
      code: 'ERR_RESPONDER_REFUSED',
      message: expect.stringMatching(/invalid_request.*not authorized.*list the owner/) as string,
    });
    expect(await strict.isActive(access_token)).toBe(true);
  });

  it('says what to change where the credential is wrong', async () => {
    const { access_token } = await signIn('basic');
    const clients = [{ ...credentials.basic, client_secret: newSecret() }];
    await expect(
      responderFor(access_token, { clients }).execute(
        recallOf(access_token, { iss: server.issuer, client_id: 'basic' }),
        attemptOf(),
      ),
    ).rejects.toMatchObject({
      code: 'ERR_RESPONDER_REFUSED',
      message: expect.stringMatching(/client basic with 401 invalid_client.*check client_id/) as string,
    });
    expect(await server.isActive(access_token)).toBe(true);
  });

  it('says what to change where the private key is none', async () => {
    const { access_token } = await signIn('rsa');
    const clients = [{ ...credentials.rsa, private_key: 'not a key' }];
    await expect(
      responderFor(access_token, { clients }).execute(
        recallOf(access_token, { iss: server.issuer, client_id: 'rsa' }),
        attemptOf(),
      ),
    ).rejects.toMatchObject({
      code: 'ERR_RESPONDER_REFUSED',
      message: expect.stringContaining('PKCS #8') as string,
    });
  });

  it('never calls a JWT dead that the server cannot take back', async () => {
    const { access_token } = await server.signIn({
      client_id: 'basic',
      subject: 'user-1',
      scope: 'read',
      resource: RESOURCE,
    });
    const responder = responderFor(access_token, { clients: [credentials.basic] });
    await expect(
      responder.execute(recallOf(access_token, { iss: server.issuer, client_id: 'basic' }), attemptOf()),
    ).rejects.toMatchObject({
      code: 'ERR_RESPONDER_REFUSED',
      message: expect.stringMatching(/unsupported_token_type.*JWT lives until it expires/) as string,
    });
  });

  it('calls a token that was dead before confirmed only where it has seen one of that client alive', async () => {
    const clients = [credentials.basic];
    const dead = (await signIn('basic')).access_token;
    const alive = (await signIn('basic')).access_token;
    const config = configured({ issuer: server.issuer, credential: gateway, clients });
    const custody = custodyOf({ token: dead }, { token: alive });
    const responder = createRevocationResponder({ servers: [config], custody, log: capturedLog().log });
    const recall = (token: string) =>
      responder.execute(recallOf(token, { iss: server.issuer, client_id: 'basic' }), attemptOf());

    await responderFor(dead, { clients }).execute(
      recallOf(dead, { iss: server.issuer, client_id: 'basic' }),
      attemptOf(),
    );
    expect(await recall(dead)).toMatchObject({
      state: 'accepted',
      detail: expect.stringContaining('not proven') as string,
    });
    expect((await recall(alive)).state).toBe('confirmed');
    expect(await recall(dead)).toMatchObject({
      state: 'confirmed',
      detail: expect.stringContaining('inactive already before') as string,
    });
  });

  it('does not believe `active: false` of a client that may not see the token', async () => {
    const { access_token } = await signIn('basic');
    // A public client may look at its own tokens only, and is told that all others are inactive.
    const responder = responderFor(access_token, { credential: credentials.public });
    const receipt = await responder.execute(
      recallOf(access_token, { iss: server.issuer, client_id: 'basic' }),
      attemptOf(),
    );
    expect(receipt).toMatchObject({
      state: 'accepted',
      detail: expect.stringContaining('may not see') as string,
    });
    expect(await server.isActive(access_token)).toBe(true);
  });
});

describe('what is missing', () => {
  const target = (token: string, fields = {}) => ({
    id: recallOf(token).value,
    iss: server.issuer,
    ...fields,
  });

  it('is nothing where token and server are known; the expiry comes along where it is', async () => {
    const token = newSecret();
    expect(await responderFor(token).lookUp(target(token))).toEqual({ missing: [] });
    const ownServer = responderFor(token, { default: true });
    expect(await ownServer.lookUp(target(token, { iss: undefined }))).toEqual({ missing: [] });
    const exp = Date.now() + 60_000;
    const responder = createRevocationResponder({
      servers: [configured({ issuer: server.issuer, credential: gateway })],
      custody: custodyOf({ token, exp }),
      log: capturedLog().log,
    });
    expect(await responder.lookUp(target(token))).toEqual({ missing: [], expires_at: exp });
  });

  it('is the token, the server, the key, in words', async () => {
    const token = newSecret();
    const responder = responderFor(token);
    const other = target(newSecret(), { iss: 'https://other.example' });
    expect((await responder.lookUp(other)).missing).toEqual([
      expect.stringContaining('no entry for issuer https://other.example'),
      expect.stringContaining('the gateway logs none'),
    ]);
    expect((await responder.lookUp(target(token, { iss: undefined }))).missing).toEqual([
      expect.stringContaining('default: true'),
    ]);
  });

  it('is not said while the store is away: nobody knows then', async () => {
    const away = new RecallError('ERR_STORE_UNAVAILABLE', 'ClickHouse is away');
    const responder = createRevocationResponder({
      servers: [configured({ issuer: server.issuer, credential: gateway })],
      custody: { ...custodyOf(), open: () => Promise.reject(away) },
      log: capturedLog().log,
    });
    expect(await responder.lookUp(target(newSecret()))).toEqual({ missing: [] });
  });

  it('is not asked for when an action comes all the same', async () => {
    const token = newSecret();
    const responder = responderFor(token);
    await expect(
      responder.execute(recallOf(token, { iss: 'https://other.example' }), attemptOf()),
    ).rejects.toMatchObject({ code: 'ERR_RESPONDER_REFUSED' });
    expect(await responder.execute(recallOf(newSecret(), { iss: server.issuer }), attemptOf())).toMatchObject(
      {
        state: 'failed',
        detail: expect.stringContaining('not asked') as string,
      },
    );
    await expect(
      responder.execute(recallOf(token, { iss: server.issuer, handle: 'subject' }), attemptOf()),
    ).rejects.toMatchObject({ code: 'ERR_RESPONDER_REFUSED' });
  });
});
