import { describe, expect, it } from 'vitest';
import { tokenHash } from '../../../src/formats/hash.ts';
import { accessEvent, decode, LINE, randomToken, refusal, TIME } from '../../support/decoding.ts';

describe('the raw token', () => {
  it('is given apart, and nowhere else in the result', () => {
    const token = randomToken();
    const decoded = decode({
      ...LINE,
      token,
      jti: token,
      path: `/callback/${token}`,
      user_agent: `agent ${token}`,
      scope: ['read', token],
      act: { sub: `x${token}` },
      note: [{ deep: token }],
      [`key-${token}`]: 1,
    });
    if (!decoded.ok) throw new Error(decoded.reason);
    expect(decoded.token?.reveal()).toBe(token);
    expect(JSON.stringify(decoded)).not.toContain(token);
    expect(decoded.event).toMatchObject({ token_hash: tokenHash(token), jti: tokenHash(token) });
  });

  it('makes a dead letter where the given hash is another token’s', () => {
    const token = randomToken();
    expect(decode({ ...LINE, token, token_hash: tokenHash(token) }).ok).toBe(true);
    expect(decode({ ...LINE, token, token_hash: `${tokenHash(token)}=` }).ok).toBe(true);
    const { code, reason } = refusal({ ...LINE, token, token_hash: tokenHash(randomToken()) });
    expect(code).toBe('ERR_DECODE_SCHEMA');
    expect(reason).toContain('token_hash');
    expect(reason).not.toContain(token);
  });

  it.each(['time', 'client_ip', 'status', 'scope', 'jti', 'dpop', 'forwarded_for', 'exp', 'cnf', 'amr'])(
    'is not in the reason where it stands in %s',
    (field) => {
      const token = randomToken(600);
      for (const value of [token, [token], { [token]: token }, `${token} ${token}`]) {
        const decoded = decode({ ...LINE, [field]: value });
        if (!decoded.ok) expect(decoded.reason).not.toContain(token.slice(0, 16));
      }
      expect(refusal(`{"${field}":"${token}`).reason).not.toContain(token.slice(0, 16));
    },
  );
});

describe('claims of a JWT', () => {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const jwt = (payload: unknown) =>
    `${part({ alg: 'RS256', typ: 'at+jwt' })}.${part(payload)}.${randomToken()}`;
  const claims = {
    iss: 'https://as.example',
    sub: 'user-9',
    azp: 'web',
    jti: 'j-9',
    sid: 's-9',
    scp: ['b', 'a'],
    aud: ['api'],
    iat: 1_767_600_000,
    exp: 1_767_603_600,
    cnf: { jkt: 'thumb' },
    email: 'kept out',
  };
  const line = { time: LINE.time, client_ip: LINE.client_ip, status: 200 };

  it('fill what the line does not give, where the gateway accepted the request', () => {
    const event = accessEvent({ ...line, token: jwt(claims), sid: 'given' });
    expect(event).toMatchObject({
      iss: 'https://as.example',
      sub: 'user-9',
      client_id: 'web',
      jti: 'j-9',
      sid: 'given',
      scope: ['a', 'b'],
      aud: ['api'],
      exp: 1_767_603_600_000,
      cnf: { jkt: 'thumb' },
    });
    expect(JSON.stringify(event)).not.toContain('kept out');
  });

  it.each([[401], [500], [undefined]])('are not believed where the status is %s', (status) => {
    expect(accessEvent({ ...line, status, token: jwt(claims) })).not.toHaveProperty('sub');
  });

  it('that are malformed are left out, each by itself', () => {
    const event = accessEvent({ ...line, token: jwt({ ...claims, sub: 7, exp: 'soon', scp: {} }) });
    expect(event).not.toHaveProperty('sub');
    expect(event).not.toHaveProperty('exp');
    expect(event).not.toHaveProperty('scope');
    expect(event.jti).toBe('j-9');
  });

  it.each(['eyJ.eyJ.x', 'a.b.c', 'eyJhbGciOiJub25lIn0.bm90IGpzb24.', 'opaque', 'eyJ.eyJ.a.b.c'])(
    'of %s are none',
    (token) => {
      expect(accessEvent({ ...line, token })).not.toHaveProperty('sub');
    },
  );

  it('do not give an object another prototype', () => {
    const payload = '{"sub":"user-9","act":{"__proto__":{"admin":true},"sub":"a"}}';
    const token = `${part({ alg: 'none' })}.${Buffer.from(payload).toString('base64url')}.x`;
    const { act } = accessEvent({ ...line, token });
    expect(act).toEqual({ sub: 'a' });
    expect(Reflect.get(act ?? {}, 'admin')).toBeUndefined();
  });
});

describe('unknown fields', () => {
  it('are kept in extra without credentials, at any depth', () => {
    const secret = randomToken();
    const event = accessEvent({
      ...LINE,
      trace_id: 'abc',
      request_headers: { Authorization: `Bearer ${secret}`, 'X-Access-Token': secret, accept: '*/*' },
      headers: [{ cookie: secret }, { 'set-cookie': [secret] }],
      deep: { a: { refreshToken: secret, id_token: secret, client_secret: secret, token_type: 'Bearer' } },
      query: `a=1&access_token=${secret}&b=2`,
      line: `GET /x HTTP/1.1 Authorization: Bearer ${secret}`,
    });
    expect(JSON.stringify(event)).not.toContain(secret);
    expect(event.extra).toEqual({
      trace_id: 'abc',
      request_headers: { accept: '*/*' },
      headers: [{}, {}],
      deep: { a: { token_type: 'Bearer' } },
      query: 'a=1&access_token=[masked]&b=2',
      line: 'GET /x HTTP/1.1 Authorization: Bearer [masked]',
    });
  });

  it('that are nested too deep are cut off', () => {
    const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
    const event = accessEvent(
      `{"time":${TIME},"client_ip":"192.0.2.1","sub":"u","deep":${deep},"act":{"a":${deep}}}`,
    );
    expect(JSON.stringify(event).length).toBeLessThan(500);
  });
});
