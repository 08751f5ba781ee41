import { LRUCache } from 'lru-cache';
import type { AccessEvent } from '../../schemas/access-event.ts';
import type { AuthorizationEvent } from '../../schemas/authorization-event.ts';

/** Tokens whose second name is remembered. */
const REMEMBERED = 200_000;

type Name = Pick<AccessEvent, 'jti' | 'iss'>;

/**
 * Remembers which `jti` belongs to which token hash. A gateway knows the claims of a token it accepts; of one that it
 * refuses, it knows the token alone. With the `jti` filled in, both stay uses of one token.
 */
export function createTokenNames() {
  const names = new LRUCache<string, Name>({ max: REMEMBERED });
  return {
    /** Learns from an event that carries both names, and completes in place one that carries the hash alone. */
    complete(event: AccessEvent | AuthorizationEvent): void {
      const { token_hash, jti, iss } = event;
      if (token_hash === undefined) return;
      if (jti !== undefined) {
        names.set(token_hash, { jti, iss });
        return;
      }
      const known = names.get(token_hash);
      if (known === undefined) return;
      event.jti = known.jti;
      event.iss ??= known.iss;
    },
  };
}
