import type { AccessEvent } from '../../schemas/access-event.ts';
import type { AuthorizationEvent } from '../../schemas/authorization-event.ts';
import { createKeyedState, type StateKey, type StateRow } from '../detection/keyed-state.ts';

/** Space of the names in checkpoints. */
const NAMES = 'token-names';
/** Tokens whose second name memory holds. */
const REMEMBERED = 200_000;
/** How long after its last use a token's name is kept: longer than access tokens commonly live, ms of event time. */
const TTL = 7 * 86_400_000;

interface Name {
  jti?: string | undefined;
  iss?: string | undefined;
}

type Event = AccessEvent | AuthorizationEvent;

/**
 * Remembers which `jti` belongs to which token hash. A gateway knows the claims of a token it accepts; of one that it
 * refuses, it knows the token alone. With the `jti` filled in, both stay uses of one token.
 */
export function createTokenNames() {
  const names = createKeyedState([{ id: NAMES, version: 1, ttl: TTL, initial: (): Name => ({}) }]);
  const nameOf = (hash: string, time: number) => names.at(0, hash, time).state as Name;

  return {
    /** Names that the events need and memory does not hold. */
    missing: (events: readonly Event[]): StateKey[] =>
      events.flatMap(({ token_hash, jti }) =>
        token_hash === undefined || jti !== undefined || names.get(0, token_hash) !== undefined
          ? []
          : [{ space: NAMES, key: token_hash }],
      ),
    /** Learns from an event that carries both names, and completes in place one that carries the hash alone. */
    complete(event: Event): void {
      const { token_hash, jti, iss, time } = event;
      if (token_hash === undefined) return;
      if (jti !== undefined) {
        const known = names.get(0, token_hash)?.state as Name | undefined;
        if (known?.jti === jti && known.iss === iss) return;
        Object.assign(nameOf(token_hash, time), { jti, iss });
        return;
      }
      const known = names.get(0, token_hash)?.state as Name | undefined;
      if (known?.jti === undefined) return;
      event.jti = known.jti;
      event.iss ??= known.iss;
    },
    load: (rows: readonly StateRow[]) => names.load(rows),
    changed: () => names.changed(),
    settle(): void {
      names.settle();
      names.shrink(REMEMBERED);
    },
  };
}
