import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { AccessEvent } from '../../../schemas/access-event.ts';
import { secret } from '../../../schemas/secret.ts';
import { tokenHash } from '../../../src/formats/hash.ts';
import { createCustody } from '../../../src/response/custody.ts';
import type { SealedToken } from '../../../src/store/port.ts';

const HOUR = 3_600_000;
const newKey = () => secret(randomBytes(32).toString('base64'));
const newToken = () => randomBytes(24).toString('base64url');
const event = (fields: Partial<AccessEvent> = {}): AccessEvent => ({
  kind: 'access',
  event_id: 'e1',
  time: Date.now(),
  client_ip: '192.0.2.1',
  ...fields,
});

/** A custody over a store that holds the given rows. */
function custodyOver(rows: readonly SealedToken[] = [], key = newKey()) {
  const find = vi.fn((id: string) =>
    Promise.resolve(rows.find(({ token_hash, jti }) => token_hash === id || jti === id) ?? null),
  );
  return { ...createCustody({ key, defaultTtl: HOUR, find }), find };
}

function seal(
  custody: ReturnType<typeof createCustody>,
  token: string,
  fields?: Partial<AccessEvent>,
): SealedToken {
  const sealed = custody.seal(secret(token), event(fields));
  if (sealed === null) throw new Error('not sealed');
  return sealed;
}

/** The token itself, where custody holds it. */
async function opened(custody: ReturnType<typeof createCustody>, id: string): Promise<string | undefined> {
  const holding = await custody.open(id);
  return holding.state === 'held' ? holding.token.reveal() : undefined;
}

afterEach(() => {
  vi.useRealTimers();
});

describe('custody of tokens', () => {
  it('gives back what it was given, by hash and by jti, in this process and the next', async () => {
    const key = newKey();
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 300 }),
        fc.uuid(),
        async (token, jti) => {
          const first = custodyOver([], key);
          const row = seal(first, token, { jti });
          const second = custodyOver([row], key);
          for (const custody of [first, second]) {
            expect(await opened(custody, tokenHash(token))).toBe(token);
            expect(await opened(custody, jti)).toBe(token);
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  it('keeps the claims that lead to the token, and nothing of the token itself', () => {
    const token = newToken();
    const claims = { iss: 'https://as.example', sub: 'user-1', client_id: 'shop', sid: 's1', jti: 'j1' };
    const row = seal(custodyOver(), token, { ...claims, time: 1_800_000_000_000 });
    expect(row).toMatchObject({ ...claims, token_hash: tokenHash(token), first_seen: 1_800_000_000_000 });
    expect(JSON.stringify(row)).not.toContain(token);
    expect(Buffer.from(row.sealed, 'base64url').includes(token)).toBe(false);
  });

  it('seals the same token differently each time', () => {
    const key = newKey();
    const token = newToken();
    expect(seal(custodyOver([], key), token).sealed).not.toBe(seal(custodyOver([], key), token).sealed);
  });

  it('refuses a row in which any single byte was changed', async () => {
    const key = newKey();
    const token = newToken();
    const row = seal(custodyOver([], key), token);
    const bytes = Buffer.from(row.sealed, 'base64url');
    for (let position = 0; position < bytes.length; position += 1) {
      const tampered = Buffer.from(bytes);
      tampered[position] = (tampered[position] ?? 0) ^ 1;
      const custody = custodyOver([{ ...row, sealed: tampered.toString('base64url') }], key);
      await expect(custody.open(row.token_hash), `byte ${position}`).rejects.toMatchObject({
        code: 'ERR_CUSTODY_OPEN',
      });
    }
  });

  it('refuses a sealed token that was moved to another row, cut or spelled differently', async () => {
    const key = newKey();
    const row = seal(custodyOver([], key), newToken());
    const other = seal(custodyOver([], key), newToken());
    for (const sealed of [other.sealed, row.sealed.slice(0, -4), '', `${row.sealed}=`, `${row.sealed}!`]) {
      const custody = custodyOver([{ ...row, sealed }], key);
      await expect(custody.open(row.token_hash)).rejects.toMatchObject({ code: 'ERR_CUSTODY_OPEN' });
    }
  });

  it('tells another key from tampering', async () => {
    const row = seal(custodyOver(), newToken());
    const custody = custodyOver([row]);
    await expect(custody.open(row.token_hash)).rejects.toThrow(/another custody key/);
  });

  it('holds no token beyond its expiry, or the default time where none is known, and tells which', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const custody = custodyOver();
    const now = Date.now();
    const short = seal(custody, newToken(), { exp: now + 60_000 });
    const unknown = seal(custody, newToken());
    expect([short.expires_at, unknown.expires_at]).toEqual([now + 60_000, now + HOUR]);
    expect(await custody.open(short.token_hash)).toMatchObject({ state: 'held', expires_at: now + 60_000 });
    expect(await custody.open(unknown.token_hash)).toMatchObject({ state: 'held', expires_at: undefined });
    vi.setSystemTime(now + 60_000);
    expect(await custody.open(short.token_hash)).toEqual({ state: 'expired', expires_at: now + 60_000 });
    expect(await custody.open(unknown.token_hash)).toMatchObject({ state: 'held' });
    vi.setSystemTime(now + HOUR);
    // It may well live on: nobody has said when it expires.
    expect(await custody.open(unknown.token_hash)).toEqual({ state: 'unknown' });
    expect(custody.seal(secret(newToken()), event({ exp: now }))).toBeNull();
  });

  it('seals a token once, however often it is used', () => {
    const custody = custodyOver();
    const token = newToken();
    const exp = Date.now() + HOUR;
    seal(custody, token, { exp });
    for (let use = 0; use < 100; use += 1) expect(custody.seal(secret(token), event({ exp }))).toBeNull();
  });

  it('keeps a token without expiry for as long as it is used', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const custody = custodyOver();
    const token = newToken();
    const start = Date.now();
    const { token_hash, first_seen } = seal(custody, token);
    vi.setSystemTime(start + HOUR * 0.4);
    expect(custody.seal(secret(token), event())).toBeNull();
    vi.setSystemTime(start + HOUR * 0.6);
    expect(seal(custody, token)).toMatchObject({ first_seen, expires_at: start + HOUR * 1.6 });
    vi.setSystemTime(start + HOUR * 1.5);
    expect(await opened(custody, token_hash)).toBe(token);
  });

  it('learns the expiry from whichever gateway logs it', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const custody = custodyOver();
    const now = Date.now();
    const token = newToken();
    const { token_hash } = seal(custody, token);
    expect(custody.seal(secret(token), event({ exp: now + 60_000 }))).toBeNull();
    expect(custody.seal(secret(token), event())).toBeNull();
    expect(await custody.open(token_hash)).toMatchObject({ state: 'held', expires_at: now + 60_000 });
    vi.setSystemTime(now + 60_000);
    expect(custody.seal(secret(token), event())).toBeNull();
    expect(await custody.open(token_hash)).toMatchObject({ state: 'expired' });
  });

  it('takes the end of a row for an expiry only where it sealed the token itself', async () => {
    const key = newKey();
    const row = seal(custodyOver([], key), newToken());
    expect(await custodyOver([row], key).open(row.token_hash)).toMatchObject({
      state: 'held',
      expires_at: undefined,
    });
  });

  it('says of a token that it does not know it', async () => {
    const custody = custodyOver();
    expect(await custody.open(tokenHash(newToken()))).toEqual({ state: 'unknown' });
    expect(custody.find).toHaveBeenCalledOnce();
  });
});

describe('custody without a key', () => {
  it('keeps nothing and says so', async () => {
    const custody = createCustody({ key: undefined, defaultTtl: HOUR, find: () => Promise.resolve(null) });
    expect(custody.available).toBe(false);
    expect(custody.seal(secret(newToken()), event())).toBeNull();
    expect(await custody.open('any')).toEqual({ state: 'unknown' });
    expect(() => custody.sealBytes(Buffer.from('line'))).toThrow(/openssl rand -base64 32/);
  });

  it.each([
    '',
    'short',
    randomBytes(31).toString('base64'),
    randomBytes(33).toString('base64'),
    'x'.repeat(44),
  ])('takes no key that is not 32 bytes: %j', (key) => {
    expect(() => custodyOver([], secret(key))).toThrow(
      expect.objectContaining({
        code: 'ERR_CUSTODY_KEY',
        message: expect.stringContaining('openssl rand -base64 32') as string,
      }) as Error,
    );
  });
});

describe('custody of bytes', () => {
  it('gives back any bytes, and refuses them where a token is expected and the reverse', async () => {
    const key = newKey();
    const custody = custodyOver([], key);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
        expect(Buffer.from(custody.openBytes(custody.sealBytes(bytes)))).toEqual(Buffer.from(bytes));
      }),
    );
    const row = seal(custody, newToken());
    expect(() => custody.openBytes(row.sealed)).toThrow(/tampered/);
    const mixed = custodyOver([{ ...row, sealed: custody.sealBytes(Buffer.from('line')) }], key);
    await expect(mixed.open(row.token_hash)).rejects.toMatchObject({ code: 'ERR_CUSTODY_OPEN' });
  });
});
