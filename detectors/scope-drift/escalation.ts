import type { FindingDraft } from '../../src/detection/contract.ts';
import { evidenceOfUse, suspectOfUse } from '../../src/detection/use.ts';
import type { Options } from './options.ts';
import { sensitivityOf } from './sensitivity.ts';
import { isSameToken, type State, type TokenSeen } from './state.ts';

const DAY = 86_400_000;
// Servers add these by themselves and often do not log them (OpenID Connect Core section 5.4, 11).
const STANDARD = new Set(['openid', 'profile', 'email', 'address', 'phone', 'offline_access']);

const excessOf = (scope: readonly string[], has: (one: string) => boolean) =>
  scope.filter((one) => !STANDARD.has(one) && !has(one));

/** A token that carries more than the authorization server says it issued. */
function againstIssuance(state: State, token: TokenSeen, options: Options): FindingDraft | undefined {
  const issuance = state.issued.find((one) => isSameToken(one, token));
  if (issuance === undefined) return undefined;
  const excess = excessOf(token.scope, (one) => issuance.scope.includes(one));
  if (excess.length === 0) return undefined;
  const sensitive = excess.filter(sensitivityOf(options).scope);
  const { first } = token;
  return {
    kind: 'escalation',
    confidence: sensitive.length > 0 ? 0.92 : 0.8,
    signals: ['scope', 'lifecycle'],
    reason: `The token carries ${quote(excess)}, which the authorization server did not put into it: it issued ${quote(issuance.scope)}`,
    measures: { excess: excess.join(' '), issued: issuance.scope.join(' '), issuance_known: true },
    suspect: suspectOfUse(first),
    evidence: [evidenceOfUse(first, first.origin)],
  };
}

/** A token whose issuance is not known, that carries what the grant's authorization events never gave. */
function againstGrant(state: State, token: TokenSeen, options: Options): FindingDraft | undefined {
  const { grantsSince, blindSince } = state;
  const use = token.settled;
  if (use === undefined || grantsSince === null || (blindSince !== null && blindSince <= use.time))
    return undefined;
  // The token must have been issued under our eyes, or events before them may have granted the rest.
  const watched =
    token.issued_at === undefined ? token.first.time >= grantsSince + DAY : token.issued_at >= grantsSince;
  if (!watched) return undefined;
  const excess = excessOf(token.scope, (one) => (state.granted[one] ?? Infinity) <= use.time);
  if (excess.length === 0) return undefined;
  const sensitive = excess.filter(sensitivityOf(options).scope);
  return {
    kind: 'escalation',
    confidence: sensitive.length > 0 ? 0.8 : 0.6,
    signals: ['scope'],
    reason: `The token carries ${quote(excess)}, which no authorization event of this grant ever gave, and no consent came in between`,
    measures: { excess: excess.join(' '), issuance_known: false },
    suspect: suspectOfUse(use),
    evidence: [evidenceOfUse(use, use.origin)],
  };
}

const quote = (scopes: readonly string[]) => `"${scopes.slice(0, 8).join(' ')}"`;

/**
 * Escalation: scope beyond the grant. Only for grants whose authorization events are known, and only for tokens they
 * must cover: an authorization log that started late or lags must not turn honest tokens into forged ones.
 */
export function judgeEscalation(state: State, options: Options): FindingDraft[] {
  if (state.grantsSince === null) return [];
  return state.tokens.flatMap((token) => {
    const issuanceKnown = state.issued.some((one) => isSameToken(one, token));
    return (
      (issuanceKnown ? againstIssuance(state, token, options) : againstGrant(state, token, options)) ?? []
    );
  });
}
