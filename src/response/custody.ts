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

/** Keeps raw tokens sealed (AES-256-GCM) from arrival until they expire; only responders open one. */
export interface Custody {
  /** Whether there is a key. */
  readonly available: boolean;
  /**
   * Seals the token of an event for the store. Null where there is no key, where the token has expired,
   * or where it was sealed lately, so that a token used a thousand times is written once.
   */
  seal(token: Secret, event: AccessEvent): SealedToken | null;
  /**
   * Opens a token by its hash, or by its jti and issuer; null where custody does not hold it or it has expired.
   * A jti is unique within its issuer only (RFC 7519 section 4.1.7): without `iss` it names a token without issuer,
   * or one whose jti no other issuer has used.
   *
   * @throws RecallError ERR_CUSTODY_OPEN where the key is another or the row was tampered with,
   *   and what `find` throws
   */
  open(tokenHashOrJti: string, iss?: string): Promise<Secret | null>;
  /** Seals any bytes, such as a refused record. @throws RecallError ERR_CUSTODY_KEY without a key */
  sealBytes(bytes: Uint8Array): string;
  /** Opens what {@link Custody.sealBytes} made. @throws RecallError ERR_CUSTODY_OPEN */
  openBytes(text: string): Uint8Array;
}

/** Tokens remembered as sealed: as many as a large installation has in use within minutes, about 50 MB. */
const REMEMBERED = 100_000;
/** What bytes that are no token are bound to; a token is bound to its hash, which never has this form. */
const BYTES = 'token-recall/bytes';

const jtiKey = (jti: string, iss: string | undefined) => JSON.stringify([iss ?? '', jti]);

/** @throws RecallError ERR_CUSTODY_KEY where the key is not 32 bytes of base64 */
export function createCustody({ key, defaultTtl, find }: CustodyOptions): Custody {
  const sealer = key === undefined ? undefined : createSealer(decodeKey(key, 'custody.key'));
  // Sealed tokens by hash: also the only place to find one whose batch is not in the store yet.
  const recent = new LRUCache<string, SealedToken>({ max: REMEMBERED });
  const hashes = new LRUCache<string, string>({ max: REMEMBERED });

  const needSealer = (): Sealer => {
    if (sealer !== undefined) return sealer;
    throw new RecallError('ERR_CUSTODY_KEY', 'custody has no key; set custody.key: openssl rand -base64 32');
  };

  return {
    available: sealer !== undefined,
    seal(token, event) {
      const now = Date.now();
      if (sealer === undefined || (event.exp !== undefined && event.exp <= now)) return null;
      const value = token.reveal();
      const token_hash = tokenHash(value);
      const known = recent.get(token_hash);
      // A token without expiry is kept on while it is used: sealed anew when half of its time is over.
      if (known !== undefined && known.expires_at >= (event.exp ?? now + defaultTtl / 2)) return null;
      const { iss, sub, client_id, sid, jti } = event;
      const sealed: SealedToken = {
        token_hash,
        ...{ iss, sub, client_id, sid, jti },
        sealed: sealer.seal(Buffer.from(value, 'utf8'), token_hash),
        expires_at: event.exp ?? now + defaultTtl,
        first_seen: known?.first_seen ?? event.time,
      };
      recent.set(token_hash, sealed);
      if (jti !== undefined) hashes.set(jtiKey(jti, iss), token_hash);
      return sealed;
    },
    async open(id, iss) {
      if (sealer === undefined) return null;
      // The hash first: it cannot be chosen, while an issuer may put anything into a jti.
      const row = recent.get(id) ?? recent.get(hashes.get(jtiKey(id, iss)) ?? '') ?? (await find(id, iss));
      if (row === null || row.expires_at <= Date.now()) return null;
      // The token of another issuer must never go to this one's server, whatever was found.
      if (row.token_hash !== id && iss !== undefined && row.iss !== iss) return null;
      return secret(sealer.open(row.sealed, row.token_hash).toString('utf8'));
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
