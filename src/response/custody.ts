import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { AccessEvent } from '../../schemas/access-event.ts';
import { secret, type Secret } from '../../schemas/secret.ts';
import { RecallError } from '../errors.ts';
import { tokenHash } from '../formats/hash.ts';
import type { SealedToken } from '../store/port.ts';
import { decodeKey } from './custody-key.ts';

export interface CustodyOptions {
  /** 32 bytes, base64; without it nothing is sealed. */
  key: Secret | undefined;
  /** How long a token without a known expiry is kept, in milliseconds. */
  defaultTtl: number;
  /** Finds a sealed token in the store, by token hash, or by jti and issuer. */
  find: (id: string, iss?: string) => Promise<SealedToken | null>;
}

/**
 * What custody has of a token. `expires_at` is when the token expires by itself, epoch milliseconds: undefined where
 * the log did not say, or said it to another process. `unknown`: never held, or held for as long as a token without
 * known expiry is.
 */
export type Holding =
  | { state: 'held'; token: Secret; expires_at: number | undefined }
  | { state: 'expired'; expires_at: number }
  | { state: 'unknown' };

/** Keeps raw tokens sealed (AES-256-GCM) from arrival until they expire; only responders open one. */
export interface Custody {
  /** Whether there is a key. */
  readonly available: boolean;
  /**
   * Seals the token of an event for the store. Null where there is no key, where the token has expired,
   * or where it was sealed lately, so that a token used a thousand times is written once.
   */
  seal(token: Secret, event: AccessEvent): SealedToken | null;
  /** Some live tokens of the same issuer and client, of those used last, without the one given. */
  others(token: Secret, iss: string | undefined, client_id: string | undefined): readonly Secret[];
  /** Says that rows did not become durable: their tokens are to be sealed again when they come again. */
  forget(rows: readonly SealedToken[]): void;
  /**
   * Opens a token by its hash, or by its jti and issuer.
   * A jti is unique within its issuer only (RFC 7519 section 4.1.7): without `iss` it names a token without issuer,
   * or one whose jti no other issuer has used.
   *
   * @throws RecallError ERR_CUSTODY_OPEN where the key is another or the row was tampered with,
   *   and what `find` throws
   */
  open(tokenHashOrJti: string, iss?: string): Promise<Holding>;
  /** Seals any bytes, such as a refused record. @throws RecallError ERR_CUSTODY_KEY without a key */
  sealBytes(bytes: Uint8Array): string;
  /** Opens what {@link Custody.sealBytes} made. @throws RecallError ERR_CUSTODY_OPEN */
  openBytes(text: string): Uint8Array;
}

/** Other tokens of a client that are given at most, and how many are looked at for them. */
const OTHERS = 3;
const OTHERS_LOOKED_AT = 2_000;
/** Tokens remembered as sealed: as many as a large installation has in use within minutes, about 50 MB. */
const REMEMBERED = 100_000;
/** What bytes that are no token are bound to; a token is bound to its hash, which never has this form. */
const BYTES = 'token-recall/bytes';

interface Sealed {
  readonly row: SealedToken;
  /** When the token expires by itself, where that is known; the row says when it is dropped. */
  readonly exp: number | undefined;
}

const jtiKey = (jti: string, iss: string | undefined) => JSON.stringify([iss ?? '', jti]);

/** @throws RecallError ERR_CUSTODY_KEY where the key is not 32 bytes of base64 */
export function createCustody({ key, defaultTtl, find }: CustodyOptions): Custody {
  const sealer = key === undefined ? undefined : createSealer(decodeKey(key, 'custody.key'));
  // Sealed tokens by hash: also the only place to find one whose batch is not in the store yet.
  const recent = new LRUCache<string, Sealed>({ max: REMEMBERED });
  const hashes = new LRUCache<string, string>({ max: REMEMBERED });

  const needSealer = (): Sealer => {
    if (sealer !== undefined) return sealer;
    throw new RecallError('ERR_CUSTODY_KEY', 'custody has no key; set custody.key: openssl rand -base64 32');
  };

  return {
    available: sealer !== undefined,
    seal(token, event) {
      const now = Date.now();
      if (sealer === undefined) return null;
      const value = token.reveal();
      const token_hash = tokenHash(value);
      const known = recent.get(token_hash);
      // Not every gateway logs the expiry.
      const exp = event.exp ?? known?.exp;
      if (exp !== undefined && exp <= now) return null;
      // A token without expiry is kept on while it is used: sealed anew when half of its time is over.
      if (known !== undefined && known.row.expires_at >= (exp ?? now + defaultTtl / 2)) {
        if (known.exp !== exp) recent.set(token_hash, { row: known.row, exp });
        return null;
      }
      const { iss, sub, client_id, sid, jti } = event;
      const row: SealedToken = {
        token_hash,
        ...{ iss, sub, client_id, sid, jti },
        sealed: sealer.seal(Buffer.from(value, 'utf8'), token_hash),
        expires_at: exp ?? now + defaultTtl,
        first_seen: known?.row.first_seen ?? event.time,
      };
      recent.set(token_hash, { row, exp });
      if (jti !== undefined) hashes.set(jtiKey(jti, iss), token_hash);
      return row;
    },
    forget(rows) {
      for (const row of rows) if (recent.get(row.token_hash)?.row === row) recent.delete(row.token_hash);
    },
    others(token, iss, client_id) {
      const found: Secret[] = [];
      if (sealer === undefined) return found;
      const itself = tokenHash(token.reveal());
      const now = Date.now();
      let looked = 0;
      for (const { row, exp } of recent.values()) {
        looked += 1;
        if (found.length >= OTHERS || looked > OTHERS_LOOKED_AT) break;
        if (row.token_hash === itself || row.iss !== iss || row.client_id !== client_id) continue;
        if ((exp ?? row.expires_at) <= now) continue;
        found.push(secret(sealer.open(row.sealed, row.token_hash).toString('utf8')));
      }
      return found;
    },
    async open(id, iss) {
      if (sealer === undefined) return { state: 'unknown' };
      // The hash first: it cannot be chosen, while an issuer may put anything into a jti.
      const sealed = recent.get(id) ?? recent.get(hashes.get(jtiKey(id, iss)) ?? '');
      const row = sealed?.row ?? (await find(id, iss));
      // The token of another issuer must never go to this one's server, whatever was found.
      if (row === null || (row.token_hash !== id && iss !== undefined && row.iss !== iss)) {
        return { state: 'unknown' };
      }
      const now = Date.now();
      const expires_at = sealed?.exp;
      if (expires_at !== undefined && expires_at <= now) return { state: 'expired', expires_at };
      if (row.expires_at <= now) return { state: 'unknown' };
      const token = secret(sealer.open(row.sealed, row.token_hash).toString('utf8'));
      return { state: 'held', token, expires_at };
    },
    sealBytes: (bytes) => needSealer().seal(bytes, BYTES),
    openBytes: (text) => needSealer().open(text, BYTES),
  };
}

interface Sealer {
  seal(plain: Uint8Array, boundTo: string): string;
  open(text: string, boundTo: string): Buffer;
}

const VERSION = 1;
const KEY_ID = 4;
const NONCE = 12;
const TAG = 16;
const HEADER = 1 + KEY_ID + NONCE;

/**
 * AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce a seal, which holds for 2^32 seals under one key.
 * Sealed text is base64url of: version (1 byte), key id (4), nonce (12), ciphertext, tag (16). The key id is the
 * start of a hash of the key, so that another key can be told from tampering, and keys can be rotated.
 * What it is bound to, and the version and key id, are authenticated too.
 */
function createSealer(key: Buffer): Sealer {
  const keyId = createHash('sha256').update('token-recall/key-id').update(key).digest().subarray(0, KEY_ID);
  const prefix = Buffer.from([VERSION, ...keyId]);
  const authenticated = (boundTo: string) => Buffer.concat([prefix, Buffer.from(boundTo, 'utf8')]);

  return {
    seal(plain, boundTo) {
      const nonce = randomBytes(NONCE);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(authenticated(boundTo));
      const body = Buffer.concat([cipher.update(plain), cipher.final()]);
      return Buffer.concat([prefix, nonce, body, cipher.getAuthTag()]).toString('base64url');
    },
    open(text, boundTo) {
      const bytes = Buffer.from(text, 'base64url');
      // Decoders overlook what is no base64url, and spare bits: anything but the one spelling is refused.
      if (bytes.length < HEADER + TAG || bytes.toString('base64url') !== text || bytes[0] !== VERSION) {
        throw new RecallError('ERR_CUSTODY_OPEN', 'sealed text is damaged, or of a newer version');
      }
      if (!bytes.subarray(1, 1 + KEY_ID).equals(keyId)) {
        throw new RecallError(
          'ERR_CUSTODY_OPEN',
          'sealed under another custody key; set the key it was sealed with',
        );
      }
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(1 + KEY_ID, HEADER), {
        authTagLength: TAG,
      });
      decipher.setAAD(authenticated(boundTo)).setAuthTag(bytes.subarray(-TAG));
      try {
        return Buffer.concat([decipher.update(bytes.subarray(HEADER, -TAG)), decipher.final()]);
      } catch {
        // Without the cause: it says nothing more.
        throw new RecallError(
          'ERR_CUSTODY_OPEN',
          'sealed text does not belong to its row, or was tampered with',
        );
      }
    },
  };
}
