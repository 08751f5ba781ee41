import type { Finding, Severity, Signal } from '../../schemas/finding.ts';

/** What several findings say together. */
export interface Assessment {
  /** 1 − Π(1 − c) over the detectors, each with its strongest finding; 0 to 1. */
  risk: number;
  signals: readonly Signal[];
  conclusive: boolean;
  /** The strongest finding of each detector, strongest first. */
  strongest: readonly Finding[];
}

/** Orders findings by strength, then by what does not depend on arrival. */
export function byStrength(a: Finding, b: Finding): number {
  return b.confidence - a.confidence || a.time - b.time || (a.finding_id < b.finding_id ? -1 : 1);
}

/** Claims below this are recorded. They do not add up, and corroborate nothing. */
const FAINT = 0.5;

/**
 * Combines findings on one target. Repeats of one detector are one claim, so only its strongest counts;
 * different detectors are held to be independent (noisy-OR, Pearl 1988 section 4.3.2).
 */
export function assess(findings: readonly Finding[]): Assessment {
  const strongest = new Map<string, Finding>();
  for (const finding of [...findings].sort(byStrength)) {
    if (!strongest.has(finding.detector)) strongest.set(finding.detector, finding);
  }
  const claims = [...strongest.values()];
  const firm = claims.filter(({ confidence }) => confidence >= FAINT);
  const counted = firm.length > 0 ? firm : claims.slice(0, 1);
  const doubt = counted.reduce((product, { confidence }) => product * (1 - confidence), 1);
  return {
    risk: Math.round((1 - doubt) * 10_000) / 10_000,
    signals: [...new Set(counted.flatMap((claim) => claim.signals))].sort(),
    conclusive: findings.some((finding) => finding.conclusive && finding.confidence >= FAINT),
    strongest: claims,
  };
}

/** Severity follows risk, so that a list sorted by either reads the same. */
export function severityOf(risk: number): Severity {
  if (risk >= 0.98) return 'critical';
  if (risk >= 0.8) return 'high';
  return risk >= 0.5 ? 'medium' : 'low';
}
