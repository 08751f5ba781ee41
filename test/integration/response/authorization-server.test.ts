import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { authorizationEventLine } from '../../../schemas/authorization-event.ts';
import type { AuthorizationEventInput } from '../../../src/demo/authorization-server-events.ts';
import {
  startAuthorizationServer,
  type AuthorizationServer,
} from '../../../src/demo/authorization-server.ts';
import { tokenHash } from '../../../src/formats/hash.ts';
import { newSecret } from './support.ts';

const shop = { auth_method: 'client_secret_basic', client_id: 'shop', client_secret: newSecret() } as const;
const mail = { auth_method: 'none', client_id: 'mail' } as const;

let server: AuthorizationServer;
let events: AuthorizationEventInput[] = [];
beforeAll(async () => {
  server = await startAuthorizationServer({
    clients: [{ credential: shop }, { credential: mail, grants: ['authorization_code', 'refresh_token'] }],
    scopes: ['read', 'write'],
    accessTokenTtl: 600,
    onEvent: (event) => events.push(event),
  });
});
afterAll(() => server.stop());
beforeEach(() => {
  events = [];
});

const types = () => events.map(({ type }) => type);

describe('the authorization server of demo and tests', () => {
  it('signs a subject in and describes the token to a resource server', async () => {
    const tokens = await server.signIn({ client_id: 'shop', subject: 'user-1', scope: 'read write' });
    expect(tokens).toMatchObject({
      scope: 'read write',
      expires_in: 600,
      refresh_token: expect.any(String) as string,
    });
    const described = await server.introspect(tokens.access_token);
    expect(described).toMatchObject({
      active: true,
      sub: 'user-1',
      client_id: 'shop',
      scope: 'read write',
      iss: server.issuer,
      sid: expect.any(String) as string,
      jti: expect.any(String) as string,
    });
    expect(described.jti).not.toBe(tokens.access_token);
    expect(Number(described.exp) - Number(described.iat)).toBe(600);

    expect(types()).toEqual(['consent_granted', 'token_issued']);
    expect(events[1]).toMatchObject({
      sub: 'user-1',
      client_id: 'shop',
      grant_type: 'authorization_code',
      scope: 'read write',
      token_hash: tokenHash(tokens.access_token),
      jti: described.jti,
      sid: described.sid,
      family_id: events[0]?.family_id,
    });
    expect(Math.abs((events[1]?.exp ?? 0) - Number(described.exp))).toBeLessThanOrEqual(1);
  });

  it('keeps one session for sign-ins that share a browser, and another for others', async () => {
    const sid = async (sessionId?: string, client_id = 'shop') => {
      const options = {
        client_id,
        subject: 'user-1',
        scope: 'read',
        ...(sessionId !== undefined && { sessionId }),
      };
      return (await server.introspect((await server.signIn(options)).access_token)).sid;
    };
    const first = await sid('laptop');
    expect(await sid('laptop', 'mail')).toBe(first);
    expect(new Set([first, await sid('phone'), await sid()]).size).toBe(3);
  });

  it('issues to a client that acts for itself', async () => {
    const { access_token } = await server.clientCredentials({ client_id: 'shop', scope: 'write' });
    const described = await server.introspect(access_token);
    expect(described).toMatchObject({ active: true, client_id: 'shop', scope: 'write' });
    expect(described).not.toHaveProperty('sub');
    expect(described).not.toHaveProperty('sid');
    expect(events).toEqual([
      expect.objectContaining({ type: 'token_issued', grant_type: 'client_credentials' }),
    ]);
  });

  it('tells of a refresh, of a refresh token that comes back, and of all that is revoked with it', async () => {
    const first = await server.signIn({ client_id: 'mail', subject: 'user-2', scope: 'read' });
    const refresh = () => server.refresh({ client_id: 'mail', refresh_token: first.refresh_token ?? '' });
    const second = await refresh();
    expect(types()).toEqual(['consent_granted', 'token_issued', 'token_refreshed']);
    await expect(refresh()).rejects.toThrow();
    expect(await server.isActive(second.access_token)).toBe(false);
    const revoked = events.filter(({ type }) => type === 'token_revoked').map(({ token_hash }) => token_hash);
    expect(revoked).toEqual(
      expect.arrayContaining([tokenHash(first.access_token), tokenHash(second.access_token)]),
    );
    expect(types()).toEqual(expect.arrayContaining(['consent_revoked', 'refresh_token_reused']));
  });

  it('writes canonical events without a token in them', async () => {
    const { access_token, refresh_token = '' } = await server.signIn({
      client_id: 'mail',
      subject: 'user-3',
      scope: 'read',
    });
    await server.refresh({ client_id: 'mail', refresh_token });
    for (const event of events)
      expect(authorizationEventLine.safeParse(event)).toMatchObject({ success: true });
    expect(JSON.stringify(events)).not.toContain(access_token);
    expect(JSON.stringify(events)).not.toContain(refresh_token);
  });

  it('forgets no token because others were issued since', async () => {
    const { access_token } = await server.signIn({ client_id: 'shop', subject: 'user-1', scope: 'read' });
    for (let user = 0; user < 200; user += 1) {
      await server.signIn({ client_id: 'shop', subject: `user-${user}`, scope: 'read' });
    }
    expect(await server.isActive(access_token)).toBe(true);
  });

  it('prints nothing', async () => {
    const script = `
      import { startAuthorizationServer } from './src/demo/authorization-server.ts';
      const server = await startAuthorizationServer({ scopes: ['read'], clients: [
        { credential: { auth_method: 'none', client_id: 'mail' }, grants: ['authorization_code', 'refresh_token'] } ] });
      const tokens = await server.signIn({ client_id: 'mail', subject: 'user-1', scope: 'read' });
      await server.isActive(tokens.access_token);
      await server.signIn({ client_id: 'mail', subject: 'user-1', scope: 'unknown' }).catch(() => undefined);
      await server.stop();`;
    const run = promisify(execFile);
    const { stdout, stderr } = await run(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '--eval', script],
      { env: { PATH: process.env['PATH'] } },
    );
    expect({ stdout, stderr }).toEqual({ stdout: '', stderr: '' });
  });
});
