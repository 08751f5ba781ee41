import type { EnrichedAccessEvent } from '../../schemas/access-event.ts';
import { isBefore, nameOf, useOf, type Shared, type Use } from '../../src/detection/use.ts';
import type { Issuance, State } from './state.ts';
import { findScopes, numberOfScopes, scopesOf } from './scopes.ts';

// Servers add these by themselves and often do not log them (OpenID Connect Core section 5.4, 11).
const STANDARD = new Set(['openid', 'profile', 'email', 'address', 'phone', 'offline_access']);

/** A token in use with what it carries, which is one and the same as long as nobody meddles with it. */
export interface TokenSeen {
  first: Use;
  /** Number of the scopes. */
  scope: number;
  issued_at?: number | undefined;
  /** First time it was used when its issuance must have been known. */
  settled?: number | undefined;
  /** Time of the latest use. */
  last: number;
  /** Number of the scopes it was issued with, once that is known. */
  issued?: number | undefined;
}

interface TokenNames {
  jti?: string | undefined;
  token_hash?: string | undefined;
}

/** Whether an issuance is that of a token: authorization servers may log `jti` or hash, gateways either. */
function isOf(a: TokenNames, b: TokenNames): boolean {
  if (a.jti !== undefined && b.jti !== undefined) return a.jti === b.jti;
  return a.token_hash !== undefined && a.token_hash === b.token_hash;
}

const issuanceOf = ({ issued }: State, token: TokenNames): Issuance | undefined =>
  issued.find((one) => isOf(one, token));

/** What of `scope` is neither standard nor given by `has`. */
export const excessOf = (scope: readonly string[], has: (one: string) => boolean): string[] =>
  scope.filter((one) => !STANDARD.has(one) && !has(one));

/** Whether the authorization server's record of its issuance explains all that the token carries. */
function isExplained(state: State, issuance: Issuance, scope: readonly string[]): boolean {
  const issued = scopesOf(state, issuance.scope);
  return excessOf(scope, (one) => issued.includes(one)).length === 0;
}

const tokenIn = ({ tokens }: Shared, { first }: TokenSeen): TokenNames =>
  tokens.find(({ number }) => number === first.token) ?? {};

/** Holds the tokens against an issuance that has become known: those it explains are of no more interest. */
export function matchIssuance(state: State): void {
  state.tokens = state.tokens.filter((token) => {
    const issuance = issuanceOf(state, tokenIn(state.shared, token));
    if (issuance === undefined) return true;
    token.issued = issuance.scope;
    return !isExplained(state, issuance, scopesOf(state, token.scope));
  });
}

/**
 * Whether a token that no issuance is known of can become suspect, also by what may still arrive: not where it was
 * issued before any authorization event that may be the first of the grant.
 */
export function isOpenToken(
  { grantsSince, latest }: State,
  issuedAt: number | undefined,
  lateness: number,
): boolean {
  return grantsSince !== null || issuedAt === undefined || issuedAt >= latest - lateness;
}

/** Whether the token of the event can become suspect. */
function isOpen(state: State, event: EnrichedAccessEvent, lateness: number): boolean {
  const issuance = issuanceOf(state, event);
  if (issuance !== undefined) return !isExplained(state, issuance, event.scope ?? []);
  return isOpenToken(state, event.iat, lateness);
}

/**
 * Takes up the token of a use.
 *
 * @param lag ms after which the authorization events of a moment have surely arrived
 * @param lateness how far behind the latest event others may still come, ms
 * @returns whether anything changed that a claim can rest on
 */
export function recordToken(
  state: State,
  event: EnrichedAccessEvent,
  lag: number,
  lateness: number,
): boolean {
  const { jti, token_hash, scope, iat } = event;
  const name = jti ?? token_hash;
  if (scope === undefined || name === undefined) return false;
  const { shared } = state;
  const isSettled = iat !== undefined && event.time >= iat + lag;
  const carried = findScopes(state, scope);
  const known = state.tokens.findLast(
    (one) => one.scope === carried && nameOf(shared, one.first.token) === name,
  );
  if (known === undefined) {
    if (!isOpen(state, event, lateness)) return false;
    const first = useOf(shared, event);
    const issued = issuanceOf(state, event)?.scope;
    const settled = isSettled ? event.time : undefined;
    const number = numberOfScopes(state, scope);
    state.tokens.push({ first, scope: number, issued_at: iat, settled, last: event.time, issued });
    state.tokens.sort((a, b) => (isBefore(a.first, b.first) ? -1 : 1));
    return true;
  }
  known.last = Math.max(known.last, event.time);
  const isFirst = isBefore(event, known.first);
  if (isFirst) {
    known.first = useOf(shared, event);
    known.issued_at = iat;
    state.tokens.sort((a, b) => (isBefore(a.first, b.first) ? -1 : 1));
  }
  const isFirstSettled = isSettled && event.time < (known.settled ?? Infinity);
  if (isFirstSettled) known.settled = event.time;
  return isFirst || isFirstSettled;
}
