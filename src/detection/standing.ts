import type { FindingDraft, SuspectUse } from './contract.ts';

/** A claim a detector has made and not taken back. Plain data, kept in its state. */
export interface Standing {
  kind: string;
  confidence: number;
  suspect: SuspectUse;
}

/**
 * Holds what a detector claims now against what it claimed before: gives the claims that are new or whose confidence
 * changed, and withdraws those that no longer hold. In order of event time nothing is ever withdrawn; an event that
 * arrives late can explain a use that was claimed without it.
 *
 * @param standing what was claimed, brought up to date
 * @param isKept whether the history still holds the suspect use; where it does not, the claim stands without more words
 */
export function restate(
  standing: Standing[],
  claims: readonly FindingDraft[],
  isKept: (one: Standing) => boolean = () => true,
): FindingDraft[] {
  if (standing.length === 0 && claims.length === 0) return [];
  const said: FindingDraft[] = [];
  const same = (a: Standing | FindingDraft, b: Standing | FindingDraft) =>
    a.kind === b.kind && a.suspect.event_id === b.suspect.event_id;
  for (const { kind, suspect } of standing.filter(
    (one) => isKept(one) && !claims.some((claim) => same(one, claim)),
  )) {
    said.push({
      kind,
      suspect,
      confidence: 0,
      reason: 'Withdrawn: events that arrived late explain this use',
      signals: [],
      measures: {},
      evidence: [],
    });
  }
  for (const claim of claims) {
    const before = standing.find((one) => same(one, claim));
    if (before?.confidence !== claim.confidence) said.push(claim);
  }
  standing.splice(
    0,
    standing.length,
    ...claims.map(({ kind, confidence, suspect }) => ({ kind, confidence, suspect })),
  );
  return said;
}
