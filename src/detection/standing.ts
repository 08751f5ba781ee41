import type { FindingDraft } from './contract.ts';
import { suspectOfUse, tokenOf, type Shared } from './use.ts';

/** A claim a detector has made and not taken back. Plain data, kept in its state. */
export interface Standing {
  kind: string;
  confidence: number;
  /** The suspect use, with the number of its token in the state. */
  event_id: string;
  time: number;
  token: number;
}

/**
 * Holds what a detector claims now against what it claimed before: gives the claims that are new or whose confidence
 * changed, and withdraws those that no longer hold. In order of event time nothing is ever withdrawn; an event that
 * arrives late can explain a use that was claimed without it.
 *
 * @param standing what was claimed, brought up to date
 * @param isOpen whether the history still tells about the suspect use; where it does not, the claim stands without
 *   more words
 */
export function restate(
  shared: Shared,
  standing: Standing[],
  claims: readonly FindingDraft[],
  isOpen: (one: Standing) => boolean = () => true,
): FindingDraft[] {
  if (standing.length === 0 && claims.length === 0) return [];
  const said: FindingDraft[] = [];
  const isOn = ({ kind, event_id }: Standing, claim: FindingDraft) =>
    kind === claim.kind && event_id === claim.suspect.event_id;
  const left = standing.filter((one) => !claims.some((claim) => isOn(one, claim)));
  for (const one of left.filter(isOpen)) {
    said.push({
      kind: one.kind,
      suspect: suspectOfUse(shared, one),
      confidence: 0,
      reason: 'Withdrawn: events that arrived late explain this use',
      signals: [],
      measures: {},
      evidence: [],
    });
  }
  for (const claim of claims) {
    const before = standing.find((one) => isOn(one, claim));
    if (before?.confidence !== claim.confidence) said.push(claim);
  }
  const now = claims.map(({ kind, confidence, suspect }) => ({
    kind,
    confidence,
    event_id: suspect.event_id,
    time: suspect.time,
    token: tokenOf(shared, suspect).number,
  }));
  standing.splice(0, standing.length, ...left.filter((one) => !isOpen(one)), ...now);
  return said;
}
