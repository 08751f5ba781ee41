import type { EnrichedAccessEvent } from '../../schemas/access-event.ts';
import type { FindingDraft } from '../../src/detection/contract.ts';
import { operationOf } from '../../src/detection/features.ts';
import { tokenKey } from '../../src/detection/keys.ts';
import { evidenceOfUse, isBefore, suspectOfUse } from '../../src/detection/use.ts';
import type { Options } from './options.ts';
import { sensitivityOf } from './sensitivity.ts';
import { originatedUse, type State } from './state.ts';

/** Claims kept; the oldest goes. */
export const MAX_VIOLATIONS = 12;

/** Keeps the first use of each token on each route that it had no scope for and that was answered all the same. Returns whether there was one. */
export function recordViolation(state: State, event: EnrichedAccessEvent, options: Options): boolean {
  const { scope, route, method, status } = event;
  const token = tokenKey(event);
  const operation = operationOf(event);
  if (scope === undefined || route === undefined || operation === undefined || token === null) return false;
  if (options.routes.length === 0 || status === undefined || status < 200 || status > 299) return false;
  const required = sensitivityOf(options).required(method, route);
  if (required === undefined || required.some((one) => scope.includes(one))) return false;
  const known = state.violations.find((one) => one.token === token && one.operation === operation);
  const use = originatedUse(state, event);
  if (known === undefined) state.violations.push({ token, required: [...required], operation, use });
  else if (isBefore(use, known.use)) known.use = use;
  state.violations.sort((a, b) => (isBefore(a.use, b.use) ? -1 : 1));
  if (state.violations.length > MAX_VIOLATIONS) state.violations.shift();
  return true;
}

/**
 * Violation: an answer with 2xx on a route whose required scopes the token lacks. It says that the gateway does not
 * enforce the scope, and that somebody found out; which of the two matters more is for a person to judge.
 */
export function judgeViolations(state: State, options: Options): FindingDraft[] {
  const { operation: isSensitive } = sensitivityOf(options);
  return state.violations.map(({ required, operation, use }) => ({
    kind: 'violation',
    confidence: isSensitive(operation) ? 0.75 : 0.6,
    signals: ['endpoint' as const],
    reason: `${operation} was answered with ${use.status ?? '2xx'} although the token has none of the scopes it requires: ${required.join(', ')}`,
    measures: { operation, required: required.join(' ') },
    suspect: suspectOfUse(use),
    evidence: [evidenceOfUse(use, use.origin)],
  }));
}
