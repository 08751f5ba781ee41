import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeRecord } from '../../../src/formats/decode.ts';
import { tokenHash } from '../../../src/formats/hash.ts';
import { maskTokens } from '../../../src/formats/mask.ts';
import { deriveRoute } from '../../../src/formats/route.ts';

const decode = (bytes: Uint8Array, stream: 'access' | 'authorization' = 'access') =>
  decodeRecord({ bytes, position: '1' }, { stream, format: 'canonical', now: undefined, maxFuture: 0 });

const stream = fc.constantFrom('access' as const, 'authorization' as const);
const TOKEN_CHARACTERS = Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/');
const token = fc
  .array(fc.constantFrom(...TOKEN_CHARACTERS), { minLength: 20, maxLength: 400 })
  .map((characters) => characters.join(''));
const fieldNames = fc.constantFrom(
  ...[
    'time',
    'client_ip',
    'token',
    'token_hash',
    'sub',
    'jti',
    'scope',
    'aud',
    'act',
    'cnf',
    'dpop',
    'status',
  ],
  ...['forwarded_for', 'path', 'user_agent', 'exp', 'azp', 'type', 'other', '__proto__', 'constructor'],
);

/** Whether any piece of 16 characters of `secret` is in `text`. */
function leaks(text: string, secret: string): boolean {
  for (let at = 0; at + 16 <= secret.length; at += 1)
    if (text.includes(secret.slice(at, at + 16))) return true;
  return false;
}

describe('decodeRecord', () => {
  it('has an outcome for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), stream, (bytes, kind) => {
        expect(decode(bytes, kind).ok).toBe(false);
      }),
    );
  });

  it('has an outcome for any JSON under any field name, and what it keeps is plain JSON', () => {
    fc.assert(
      fc.property(fc.dictionary(fieldNames, fc.jsonValue({ maxDepth: 12 })), stream, (fields, kind) => {
        const line = { time: '2026-01-05T10:00:00Z', client_ip: '192.0.2.1', sub: 'user-1', ...fields };
        const decoded = decode(Buffer.from(JSON.stringify(line)), kind);
        if (!decoded.ok) return;
        const { event } = decoded;
        expect(JSON.parse(JSON.stringify(event))).toEqual(event);
      }),
      { numRuns: 1_000 },
    );
  });

  it('reads back the event it made of a line: decoding is a projection', () => {
    const word = fc
      .string({ minLength: 1, maxLength: 30, unit: 'grapheme-ascii' })
      .filter((text) => text.trim() !== '');
    const line = fc.record(
      {
        time: fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2099, 11, 31) }),
        client_ip: fc.oneof(fc.ipV4(), fc.ipV6()),
        sub: word,
        request_id: word,
        gateway: word,
        jti: word,
        client_id: word,
        status: fc.integer({ min: 100, max: 599 }),
        scope: fc.array(fc.stringMatching(/^[a-z:.]{1,12}$/), { maxLength: 5 }),
        exp: fc.integer({ min: 0, max: 4_000_000_000 }),
        method: fc.constantFrom('GET', 'POST'),
      },
      { requiredKeys: ['time', 'client_ip', 'sub'] },
    );
    fc.assert(
      fc.property(line, (given) => {
        const first = decode(Buffer.from(JSON.stringify(given)));
        if (!first.ok) throw new Error(first.reason);
        const { event_id, ...rest } = first.event;
        const event: Record<string, unknown> = { ...rest };
        delete event['kind'];
        const back = { ...event, ...(rest.exp !== undefined && { exp: rest.exp / 1000 }) };
        const second = decode(Buffer.from(JSON.stringify(back)));
        expect(second).toMatchObject({ ok: true, event: { ...event, event_id } });
      }),
    );
  });

  it('keeps the raw token out of event and reason, wherever a line repeats it', () => {
    fc.assert(
      fc.property(token, fieldNames, fieldNames, fc.boolean(), (secret, one, other, accepted) => {
        const line = {
          time: '2026-01-05T10:00:00Z',
          client_ip: '192.0.2.1',
          status: accepted ? 200 : 401,
          [one]: `before ${secret} after`,
          [other]: { nested: [secret] },
          note: secret,
          token: secret,
        };
        const decoded = decode(Buffer.from(JSON.stringify(line)));
        const shown = decoded.ok ? JSON.stringify(decoded.event) : decoded.reason;
        expect(shown).not.toContain(secret);
        if (decoded.ok) expect(shown).toContain(tokenHash(secret));
      }),
      { numRuns: 500 },
    );
  });
});

describe('maskTokens', () => {
  it('lets no 16 characters of a token through, in whatever it is embedded and wherever that is cut', () => {
    const before = fc.oneof(
      fc.constantFrom(
        '{"token":"',
        '{"x":"',
        '{"a":{"b":["',
        'Authorization: Bearer ',
        '?access_token=',
        '"\\"token\\":\\"',
      ),
      fc.string({ maxLength: 40 }),
    );
    const after = fc.oneof(fc.constantFrom('"}', '"', '', '\\"}"', '&a=b'), fc.string({ maxLength: 40 }));
    fc.assert(
      fc.property(
        before,
        token,
        after,
        fc.nat(2_000),
        fc.integer({ min: 1, max: 500 }),
        (head, secret, tail, cut, max) => {
          const whole = Buffer.from(`${head}${secret}${tail}${secret}`);
          const masked = maskTokens(whole.subarray(0, Math.max(1, whole.length - (cut % whole.length))), max);
          expect(leaks(masked, secret)).toBe(false);
          expect(masked.length).toBeLessThanOrEqual(max);
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it('takes any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), fc.integer({ min: 1, max: 200 }), (bytes, max) => {
        expect(maskTokens(bytes, max).length).toBeLessThanOrEqual(max);
      }),
    );
  });
});

it('deriveRoute is bounded and settles: the route of a route is itself', () => {
  fc.assert(
    fc.property(fc.array(fc.webPath(), { maxLength: 20 }), (paths) => {
      const route = deriveRoute(paths.join('/'));
      expect(route.length).toBeLessThanOrEqual(1_024);
      expect(deriveRoute(deriveRoute(route))).toBe(deriveRoute(route));
    }),
  );
});
