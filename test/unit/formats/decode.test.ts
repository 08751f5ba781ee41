import { describe, expect, it } from 'vitest';
import { decodeRecord } from '../../../src/formats/decode.ts';
import { accessEvent, decode, LINE, randomToken, refusal, TIME } from '../../support/decoding.ts';

describe('access lines', () => {
  it('become access events: times in ms, scopes sorted, azp for client_id, a route for a path', () => {
    expect(
      accessEvent({
        ...LINE,
        azp: 'web',
        iat: 1_767_600_000,
        exp: 1_767_603_600.5,
        scope: 'write read write',
        aud: 'api',
        path: '/users/42/orders?access_token=x#y',
        dpop: { jti: 'p', jkt: 'k', extra: 1 },
      }),
    ).toEqual({
      kind: 'access',
      event_id: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
      time: TIME,
      client_ip: '203.0.113.7',
      sub: 'user-1',
      client_id: 'web',
      iat: 1_767_600_000_000,
      exp: 1_767_603_600_500,
      scope: ['read', 'write'],
      aud: ['api'],
      path: '/users/42/orders',
      route: '/users/{id}/orders',
      dpop: { jti: 'p', jkt: 'k' },
    });
  });

  it('take nulls and empty texts for absent', () => {
    const event = accessEvent({ ...LINE, jti: null, client_id: '', user_agent: '', zone: null, scope: '' });
    expect(event).not.toHaveProperty('jti');
    expect(event).not.toHaveProperty('client_id');
    expect(event).not.toHaveProperty('extra');
    expect(refusal({ ...LINE, client_ip: '' })).toMatchObject({
      code: 'ERR_DECODE_SCHEMA',
      reason: 'client_ip: required',
    });
  });

  it('keep a given route and client_id', () => {
    const event = accessEvent({ ...LINE, path: '/a/1', route: '/a/:id', client_id: 'web', azp: 'other' });
    expect(event).toMatchObject({ route: '/a/:id', client_id: 'web' });
  });

  it('name somebody', () => {
    const nobody = { time: LINE.time, client_ip: LINE.client_ip };
    expect(refusal(nobody).code).toBe('ERR_DECODE_IDENTITY');
    for (const given of [
      { token_hash: 'h' },
      { jti: 'j' },
      { client_id: 'c' },
      { azp: 'c' },
      { token: 't' },
    ]) {
      expect(decode({ ...nobody, ...given }).ok).toBe(true);
    }
  });

  it('cut what the caller wrote too long instead of losing sight of the request', () => {
    const event = accessEvent({
      ...LINE,
      user_agent: 'a'.repeat(5_000),
      path: `/${'p'.repeat(20_000)}`,
      method: 'M'.repeat(100),
      host: 'h'.repeat(1_000),
      request_id: 'r'.repeat(1_000),
      forwarded_for: Array.from({ length: 1_000 }, () => '192.0.2.1').join(','),
    });
    expect(event.user_agent).toHaveLength(2_048);
    expect(event.path).toHaveLength(8_192);
    expect(event).not.toHaveProperty('request_id');
    expect(event.forwarded_for).toHaveLength(32);
  });

  it('believe of X-Forwarded-For only what follows the last hop that is no address', () => {
    const chain = (forwarded_for: unknown) => accessEvent({ ...LINE, forwarded_for }).forwarded_for;
    expect(chain('198.51.100.1, 192.0.2.1:4711, [2001:DB8::1]:443')).toEqual([
      '198.51.100.1',
      '192.0.2.1',
      '2001:db8::1',
    ]);
    expect(chain(['198.51.100.1', '<script>', '192.0.2.1'])).toEqual(['192.0.2.1']);
    expect(chain('unknown')).toEqual([]);
  });
});

describe('time', () => {
  it.each([
    [0, /1970-01-01T00:00:00.000Z is outside 2000 to 2099/],
    ['2100-01-01T00:00:00Z', /2100-01-01T00:00:00.000Z is outside/],
    [TIME / 1000, /\(seconds\? multiply by 1000\)/],
    [TIME * 1000, /microseconds/],
    [TIME * 1e6, /nanoseconds/],
    [1e300, /1e\+300 ms is outside/],
    [-1, /1969/],
  ])('refuses %s', (time, reason) => {
    expect(refusal({ ...LINE, time })).toMatchObject({ code: 'ERR_DECODE_TIME' });
    expect(refusal({ ...LINE, time }).reason).toMatch(reason);
  });

  it('refuses what is no time as a schema error, without repeating it', () => {
    const { code, reason } = refusal({ ...LINE, time: 'yesterday' });
    expect([code, reason]).toEqual(['ERR_DECODE_SCHEMA', 'time: expected RFC 3339 or epoch milliseconds']);
    expect(refusal({ ...LINE, time: undefined })).toMatchObject({ reason: 'time: required' });
  });

  it('refuses events from further ahead than clocks may run, where there is an arrival', () => {
    const now = TIME - 600_000;
    expect(decode(LINE, { now }).ok).toBe(true);
    const { code, reason } = refusal(LINE, { now: now - 1 });
    expect(code).toBe('ERR_DECODE_TIME');
    expect(reason).toBe(
      'time: 2026-01-05T10:00:00.000Z is more than 600 s ahead of arrival at 2026-01-05T09:49:59.999Z',
    );
    expect(decode({ ...LINE, time: '2099-01-01T00:00:00Z' }).ok).toBe(true);
  });
});

describe('event_id', () => {
  const id = (line: unknown) => accessEvent(line).event_id;

  it('is the same for a request delivered twice, whatever the shipper added', () => {
    const line = { ...LINE, request_id: 'r-1', gateway: 'edge' };
    expect(id({ ...line, shipped_at: 1 })).toBe(id({ shipped_at: 2, ...line }));
  });

  it('tells requests apart that carry the same id: the caller may choose it', () => {
    const line = { ...LINE, request_id: 'r-1', gateway: 'edge', host: 'a' };
    const others = [
      { request_id: 'r-2' },
      { gateway: 'inner' },
      { host: 'b' },
      { time: TIME + 1 },
      { client_ip: '203.0.113.8' },
      { sub: 'user-2' },
      { token: randomToken() },
    ];
    expect(new Set([line, ...others.map((other) => ({ ...line, ...other }))].map(id)).size).toBe(8);
  });

  it('is of the content where there is no request id, in any order of keys', () => {
    const line = { ...LINE, path: '/a?x=1', zone: { a: 1, b: 2 } };
    expect(id({ zone: { b: 2, a: 1 }, path: '/a?x=1', ...LINE })).toBe(id(line));
    expect(id({ ...line, path: '/a?x=2' })).not.toBe(id(line));
    expect(id({ ...line, zone: { a: 1, b: 3 } })).not.toBe(id(line));
    expect(id({ ...line, status: 200 })).not.toBe(id(line));
  });
});

describe('bytes that are no line', () => {
  it.each([
    ['', 'ERR_DECODE_JSON', /empty record/],
    ['   ', 'ERR_DECODE_JSON', /empty record/],
    ['not json', 'ERR_DECODE_JSON', /not valid JSON/],
    ['{"a":1', 'ERR_DECODE_JSON', /not valid JSON/],
    ['{"a":"\0"}', 'ERR_DECODE_JSON', /not valid JSON/],
    ['[]', 'ERR_DECODE_JSON', /got an array/],
    ['null', 'ERR_DECODE_JSON', /got null/],
    ['"text"', 'ERR_DECODE_JSON', /got a string/],
    ['{}', 'ERR_DECODE_SCHEMA', /time: required; client_ip: required/],
    ['{"time":1,"client_ip":7}', 'ERR_DECODE_TIME', /1970/],
    [JSON.stringify({ ...LINE, status: 99 }), 'ERR_DECODE_SCHEMA', /status: at least 100/],
    [JSON.stringify({ ...LINE, scope: 7 }), 'ERR_DECODE_SCHEMA', /scope: expected string or array/],
    [JSON.stringify({ ...LINE, sub: 'x'.repeat(600) }), 'ERR_DECODE_SCHEMA', /sub: at most 512 characters/],
    [JSON.stringify({ ...LINE, client_ip: 'localhost' }), 'ERR_DECODE_ADDRESS', /client_ip/],
  ])('%s', (text, code, reason) => {
    const refused = refusal(text);
    expect(refused.code).toBe(code);
    expect(refused.reason).toMatch(reason);
  });

  it('pass on what the source refused', () => {
    const refused = { code: 'ERR_DECODE_TOO_LARGE', reason: 'too large', size: 9 } as const;
    const record = { bytes: new Uint8Array(), position: '1', refused };
    const context = { stream: 'access', format: 'canonical', now: undefined, maxFuture: 0 } as const;
    expect(decodeRecord(record, context)).toEqual({ ok: false, code: refused.code, reason: refused.reason });
  });

  it('may begin with a byte order mark and hold bytes that are no UTF-8', () => {
    const text = Buffer.from(JSON.stringify({ ...LINE, zone: 'Z' }));
    text[text.indexOf('Z', text.indexOf('zone'))] = 0xff;
    expect(accessEvent(Buffer.concat([Buffer.from('\uFEFF'), text])).extra).toEqual({ zone: '\uFFFD' });
  });

  it('have lone surrogates replaced, which no store takes', () => {
    const event = accessEvent(
      `{"time":${TIME},"client_ip":"192.0.2.1","sub":"a\\ud800b","x":"\\udc00","y":"\\ud83d\\ude00"}`,
    );
    expect(event.sub).toBe('a\uFFFDb');
    expect(event.extra).toEqual({ x: '\uFFFD', y: '😀' });
  });

  it('cannot give the event another prototype; of duplicate keys the last counts', () => {
    const event = accessEvent(
      `{"time":${TIME},"client_ip":"192.0.2.1","sub":"a","sub":"b","__proto__":{"jti":"x"},"o":{"__proto__":{"y":1}}}`,
    );
    expect(event.sub).toBe('b');
    expect(event.jti).toBeUndefined();
    expect(event.extra).toStrictEqual({ o: {} });
    expect(Reflect.get(event.extra?.['o'] ?? {}, 'y')).toBeUndefined();
  });
});

describe('authorization lines', () => {
  const issued = { time: TIME, type: 'token_issued', sub: 'user-1', azp: 'web', exp: 1_767_603_600 };
  const context = { stream: 'authorization' } as const;

  it('become authorization events', () => {
    const secret = randomToken();
    const decoded = decode(
      { ...issued, scope: 'b a', client_ip: '[::1]:443', token: secret, zone: 1 },
      context,
    );
    if (!decoded.ok) throw new Error(decoded.reason);
    expect(decoded.event).toEqual({
      kind: 'authorization',
      event_id: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
      time: TIME,
      type: 'token_issued',
      sub: 'user-1',
      client_id: 'web',
      exp: 1_767_603_600_000,
      scope: ['a', 'b'],
      client_ip: '::1',
      extra: { zone: 1 },
    });
    expect(decoded.token).toBeUndefined();
  });

  it('are refused with the reason', () => {
    expect(refusal({ ...issued, type: 'nonsense' }, context).reason).toMatch(
      /^type: expected one of token_issued/,
    );
    expect(refusal({ time: TIME, type: 'user_disabled' }, context).code).toBe('ERR_DECODE_IDENTITY');
    expect(refusal({ ...issued, client_ip: 'x' }, context).code).toBe('ERR_DECODE_ADDRESS');
    expect(refusal({ ...issued, time: 1 }, context).code).toBe('ERR_DECODE_TIME');
  });

  it('have an id of their content, another than an access event', () => {
    const id = (line: unknown) => {
      const decoded = decode(line, context);
      return decoded.ok ? decoded.event.event_id : decoded.reason;
    };
    expect(id(issued)).toBe(id({ ...issued }));
    expect(id({ ...issued, sub: 'user-2' })).not.toBe(id(issued));
  });
});

it('an unknown format is the configuration’s fault, and names the known ones', () => {
  expect(() => decode(LINE, { format: 'syslog' })).toThrow(
    expect.objectContaining({
      code: 'ERR_CONFIG_INVALID',
      message: 'unknown format "syslog"; known: canonical',
    }),
  );
});
