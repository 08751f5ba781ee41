import type { EnrichedAccessEvent } from '../../schemas/access-event.ts';
import type { FindingDraft } from '../../src/detection/contract.ts';
import { evidenceOf, suspectOf } from '../../src/detection/keys.ts';

/**
 * A token bound to a key (RFC 9449 section 6, RFC 8705 section 3) that the gateway accepted from a caller with another
 * key. No use by the owner looks like that, wherever they are.
 */
export function judgeBinding(event: EnrichedAccessEvent): FindingDraft | undefined {
  const pairs = [
    { name: 'DPoP key', bound: event.cnf?.jkt, presented: event.dpop?.jkt },
    { name: 'certificate', bound: event.cnf?.['x5t#S256'], presented: event.mtls?.['x5t#S256'] },
  ];
  for (const { name, bound, presented } of pairs) {
    if (bound === undefined || presented === undefined || bound === presented) continue;
    return {
      kind: 'binding',
      confidence: 0.98,
      conclusive: true,
      signals: ['binding'],
      reason: `The token is bound to the ${name} with thumbprint ${bound}, and was accepted from a caller that presented ${presented}`,
      measures: { bound, presented },
      suspect: suspectOf(event),
      evidence: [evidenceOf(event)],
    };
  }
  return undefined;
}
