import type { EnrichedAccessEvent } from '../../schemas/access-event.ts';
import type { FindingDraft } from '../../src/detection/contract.ts';
import { operationOf } from '../../src/detection/features.ts';
import { tokenKey } from '../../src/detection/keys.ts';
import {
  evidenceOfUse,
  isBefore,
  isSameToken,
  suspectOfUse,
  useOf,
  type Use,
} from '../../src/detection/use.ts';
import type { Options } from './options.ts';
import { sensitivityOf } from './sensitivity.ts';
import type { State } from './state.ts';

/** The first use of a token on a route that it had no scope for, and that was answered all the same. */
export interface Violation {
  use: Use;
  operation: string;
  required: string[];
  /** Time of the latest such use. */
  last: number;
}

/** Takes up a violation, if the use is one. Returns whether anything changed that a claim can rest on. */
export function recordViolation(state: State, event: EnrichedAccessEvent, options: Options): boolean {
  const { scope, route, method, status } = event;
  const operation = operationOf(event);
  if (scope === undefined || route === undefined || operation === undefined || tokenKey(event) === null) {
    return false;
  }
  if (options.routes.length === 0 || status === undefined || status < 200 || status > 299) return false;
  const required = sensitivityOf(options).required(method, route);
  if (required === undefined || required.some((one) => scope.includes(one))) return false;
  const { shared, violations } = state;
  const use = useOf(shared, event);
  const known = violations.find(
    (one) => one.operation === operation && isSameToken(shared, one.use.token, use.token),
  );
  if (known === undefined) {
    violations.push({ use, operation, required: [...required], last: use.time });
  } else {
    known.last = Math.max(known.last, use.time);
    if (!isBefore(use, known.use)) return false;
    known.use = use;
  }
  violations.sort((a, b) => (isBefore(a.use, b.use) ? -1 : 1));
  return true;
}

/**
 * Violation: an answer with 2xx on a route whose required scopes the token lacks. It says that the gateway does not
 * enforce the scope, and that somebody found out; which of the two matters more is for a person to judge.
 */
export function judgeViolations({ shared, violations }: State, options: Options): FindingDraft[] {
  const { operation: isSensitive } = sensitivityOf(options);
  return violations.map(({ required, operation, use }) => ({
    kind: 'violation',
    confidence: isSensitive(operation) ? 0.75 : 0.6,
    signals: ['endpoint' as const],
    reason: `${operation} was answered with ${use.status ?? '2xx'} although the token has none of the scopes it requires: ${required.join(', ')}`,
    measures: { operation, required: required.join(' ') },
    suspect: suspectOfUse(shared, use),
    evidence: [evidenceOfUse(shared, use)],
  }));
}
