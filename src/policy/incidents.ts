import type { Decision } from '../../schemas/alert.ts';
import type { Evidence, Finding } from '../../schemas/finding.ts';
import { createKeyedState, type StateKey, type StateRow } from '../detection/keyed-state.ts';
import { digest } from '../formats/hash.ts';
import { byStrength } from './assess.ts';

// A token is judged by its strongest claims; more of the same add nothing.
const FINDINGS_PER_DETECTOR_AND_TOKEN = 5;
// A session with more accused tokens than this has long been recalled token by token.
const FINDINGS_PER_INCIDENT = 1000;
// Enough for a person to judge by.
const SHOWN_PER_DETECTOR = 20;
const EVIDENCE_PER_ALERT = 50;

/** Space of incidents in checkpoints. */
const INCIDENTS = 'incidents';
/** How long after its last finding an incident grows on, ms of event time; then a new one begins. */
const TTL = 30 * 86_400_000;

/** The findings gathered on one session, token or subject. Plain data, kept in checkpoints. */
export interface Incident {
  readonly alert_id: string;
  /** Sorted by time, then id: the order of arrival leaves no trace. */
  findings: Finding[];
  /** Grows with every change, also over a restart: of two versions of an alert the higher counts. */
  version: number;
  /** By token, the decision under which its recall is under way. */
  settled?: Record<string, Decision> | undefined;
}

/** What the findings concern: the session, else the token, else the subject at a client, else the client. */
function incidentKey(finding: Finding): string {
  const { sid, jti, token_hash, sub, client_id } = finding;
  const concerns =
    sid !== undefined
      ? ['session', sid]
      : jti !== undefined || token_hash !== undefined
        ? ['token', jti ?? token_hash ?? '']
        : ['subject', sub ?? '', client_id ?? ''];
  return digest('alert', finding.iss ?? '', ...concerns);
}

/** Keeps the strongest findings of each detector on each token, whichever order they came in. */
function bounded(findings: readonly Finding[]): Finding[] {
  const counts = new Map<string, number>();
  const kept = [...findings].sort(byStrength).filter((finding) => {
    const same = `${finding.detector} ${finding.token_hash ?? finding.jti ?? ''}`;
    const count = (counts.get(same) ?? 0) + 1;
    counts.set(same, count);
    return count <= FINDINGS_PER_DETECTOR_AND_TOKEN;
  });
  return kept
    .slice(0, FINDINGS_PER_INCIDENT)
    .sort((a, b) => a.time - b.time || (a.finding_id < b.finding_id ? -1 : 1));
}

/**
 * Gathers findings into incidents: one incident, one alert that grows.
 *
 * @param limit incidents kept in memory once they are durable; the one longest without a new finding goes first
 */
export function createIncidents(limit: number) {
  const open = createKeyedState([
    {
      id: INCIDENTS,
      version: 1,
      ttl: TTL,
      initial: (): Omit<Incident, 'alert_id'> => ({ findings: [], version: 0 }),
    },
  ]);
  return {
    /** Incidents that the findings belong to and memory does not hold. */
    missing(findings: readonly Finding[]): StateKey[] {
      const keys = new Set(findings.map(incidentKey));
      return [...keys]
        .filter((key) => open.get(0, key) === undefined)
        .map((key) => ({ space: INCIDENTS, key }));
    },
    /**
     * Adds a finding, or takes over its new version: what arrives late can make a detector surer, less sure, or
     * withdraw (confidence 0). Gives the incident it changed, or null where it changed none.
     *
     * @param now the clock that versions follow, epoch milliseconds
     */
    add(finding: Finding, now: number): Incident | null {
      const alertId = incidentKey(finding);
      const held = open.get(0, alertId);
      const before = held?.state as Incident | undefined;
      const known = before?.findings.find(({ finding_id }) => finding_id === finding.finding_id);
      if (known === undefined && finding.confidence === 0) return null;
      if (known?.confidence === finding.confidence && known.reason === finding.reason) return null;
      const incident = open.at(0, alertId, finding.time).state as Incident;
      const others = incident.findings.filter((one) => one !== known);
      const findings = bounded([...others, finding]);
      if (known === undefined && !findings.includes(finding)) return null;
      Object.assign(incident, { alert_id: alertId, findings, version: Math.max(now, incident.version + 1) });
      return incident;
    },
    load: (rows: readonly StateRow[]) => open.load(rows),
    changed: () => open.changed(),
    settle(): void {
      open.settle();
      open.shrink(limit);
    },
  };
}

/** The findings an alert shows, oldest first: of each detector the strongest. */
export function strongestOf(findings: readonly Finding[]): Finding[] {
  const strongest = [...findings].sort(byStrength);
  const detectors = [...new Set(strongest.map(({ detector }) => detector))];
  return detectors
    .flatMap((id) => strongest.filter(({ detector }) => detector === id).slice(0, SHOWN_PER_DETECTOR))
    .sort((a, b) => a.time - b.time || (a.finding_id < b.finding_id ? -1 : 1));
}

/** The uses that the findings rest on, without repeats, oldest first; the latest ones where there are too many. */
export function evidenceOfFindings(findings: readonly Finding[]): Evidence[] {
  const uses = new Map<string, Evidence>();
  for (const { evidence } of findings) for (const use of evidence) uses.set(use.event_id, use);
  return [...uses.values()]
    .sort((a, b) => a.time - b.time || (a.event_id < b.event_id ? -1 : 1))
    .slice(-EVIDENCE_PER_ALERT);
}
