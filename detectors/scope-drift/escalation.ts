import type { FindingDraft } from '../../src/detection/contract.ts';
import { scopeFeature } from '../../src/detection/features.ts';
import { evidenceOfUse, suspectOfUse } from '../../src/detection/use.ts';
import type { Options } from './options.ts';
import { scopesOf } from './scopes.ts';
import { sensitivityOf } from './sensitivity.ts';
import type { State } from './state.ts';
import { excessOf, type TokenSeen } from './tokens.ts';

const DAY = 86_400_000;

/** A token that carries more than the authorization server says it issued. */
function againstIssuance(
  state: State,
  token: TokenSeen,
  issued: readonly string[],
  options: Options,
): FindingDraft | undefined {
  const excess = excessOf(scopesOf(state, token.scope), (one) => issued.includes(one));
  if (excess.length === 0) return undefined;
  const sensitive = excess.filter(sensitivityOf(options).scope);
  const { first } = token;
  return {
    kind: 'escalation',
    confidence: sensitive.length > 0 ? 0.92 : 0.8,
    signals: ['scope', 'lifecycle'],
    reason: `The token carries ${quote(excess)}, which the authorization server did not put into it: it issued ${quote(issued)}`,
    measures: { excess: excess.join(' '), issued: issued.join(' '), issuance_known: true },
    suspect: suspectOfUse(state.shared, first),
    evidence: [evidenceOfUse(state.shared, first)],
  };
}

/** A token whose issuance is not known, that carries what the grant's authorization events never gave. */
function againstGrant(state: State, token: TokenSeen, options: Options): FindingDraft | undefined {
  const { shared, granted, grantsSince } = state;
  const { first, settled } = token;
  const blindSince = Math.min(state.blindSince ?? Infinity, granted.fullSince ?? Infinity);
  if (settled === undefined || grantsSince === null || blindSince <= settled) return undefined;
  // The token must have been issued under our eyes, or events before them may have granted the rest.
  const watched =
    token.issued_at === undefined ? first.time >= grantsSince + DAY : token.issued_at >= grantsSince;
  if (!watched) return undefined;
  const excess = excessOf(
    scopesOf(state, token.scope),
    (one) => (granted.times[scopeFeature(one)] ?? Infinity) <= settled,
  );
  if (excess.length === 0) return undefined;
  const sensitive = excess.filter(sensitivityOf(options).scope);
  return {
    kind: 'escalation',
    confidence: sensitive.length > 0 ? 0.8 : 0.6,
    signals: ['scope'],
    reason: `The token carries ${quote(excess)}, which no authorization event of this grant ever gave, and no consent came in between`,
    measures: { excess: excess.join(' '), issuance_known: false },
    suspect: suspectOfUse(shared, first),
    evidence: [evidenceOfUse(shared, first)],
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
    const { issued } = token;
    const claim =
      issued === undefined
        ? againstGrant(state, token, options)
        : againstIssuance(state, token, scopesOf(state, issued), options);
    return claim ?? [];
  });
}
