import type { Alert } from '../../schemas/alert.ts';
import type { Evidence, Finding } from '../../schemas/finding.ts';

/** RFC 3339 in UTC with milliseconds, as everything that leaves the product writes times. */
export function rfc3339(epochMs: number): string {
  return new Date(epochMs).toISOString();
}

/** Where people read what to do about a finding: the detector's page of the API. */
export function runbookUrl(publicUrl: string, detector: string): string {
  return `${publicUrl.replace(/\/+$/, '')}/v1/detectors/${encodeURIComponent(detector)}`;
}

type Line<T> = { [K in keyof T]: T[K] | undefined };

/** Leaves out what is not known: an absent key, never `null`. Keeps the order of the keys. */
function withoutUndefined<T extends object>(line: Line<T>): T {
  return Object.fromEntries(Object.entries(line).filter(([, value]) => value !== undefined)) as T;
}

/** One use of a token as alert and finding lines carry it. */
export interface EvidenceLine extends Omit<Evidence, 'time'> {
  time: string;
}

/** One finding as an alert line carries it. */
export interface AlertFindingLine {
  detector: string;
  confidence: number;
  time: string;
  reason: string;
  /** Link to the runbook; absent where no address of the API is known, as in a backtest. */
  runbook?: string;
}

/** An alert as sinks send it, the API answers it and a backtest writes it. Times are RFC 3339. */
export interface AlertLine extends Omit<Alert, 'version' | 'time' | 'updated' | 'findings' | 'evidence'> {
  time: string;
  updated: string;
  findings: AlertFindingLine[];
  evidence: EvidenceLine[];
}

/** A finding as `findings.ndjson` and the API give it: everything there is, times RFC 3339. */
export interface FindingLine extends Omit<Finding, 'time' | 'evidence'> {
  time: string;
  evidence: EvidenceLine[];
}

/** A decision as `decisions.ndjson` gives it, with what it concerns. */
export type DecisionLine = Pick<
  AlertLine,
  'alert_id' | 'time' | 'severity' | 'risk' | 'iss' | 'sub' | 'client_id' | 'sid' | 'jti' | 'token_hash'
> &
  Alert['decision'];

function concerns(of: Alert | Finding) {
  const { iss, sub, client_id, sid, jti, token_hash } = of;
  return { iss, sub, client_id, sid, jti, token_hash };
}

function toEvidenceLine(use: Evidence): EvidenceLine {
  return withoutUndefined<EvidenceLine>({
    request_id: use.request_id,
    time: rfc3339(use.time),
    client_ip: use.client_ip,
    country: use.country,
    asn: use.asn,
    user_agent: use.user_agent,
    event_id: use.event_id,
    city: use.city,
    network: use.network,
    method: use.method,
    route: use.route,
    status: use.status,
    geo_build: use.geo_build,
  });
}

function toDecision(decision: Alert['decision']): Alert['decision'] {
  const { action, handle, value, mode, reason, missing } = decision;
  return withoutUndefined<Alert['decision']>({ action, handle, value, mode, reason, missing });
}

/**
 * An alert in the JSON of the design's contract (4.3): the keys in that order, times RFC 3339 in UTC with
 * milliseconds, what is unknown absent. Evidence carries more than the contract's fields, after them.
 *
 * @param publicUrl address of the API; with it each finding links to its runbook
 */
export function toAlertLine(alert: Alert, publicUrl?: string): AlertLine {
  return withoutUndefined<AlertLine>({
    alert_id: alert.alert_id,
    time: rfc3339(alert.time),
    updated: rfc3339(alert.updated),
    severity: alert.severity,
    risk: alert.risk,
    findings: alert.findings.map(({ detector, confidence, time, reason }) =>
      withoutUndefined<AlertFindingLine>({
        detector,
        confidence,
        time: rfc3339(time),
        reason,
        runbook: publicUrl === undefined ? undefined : runbookUrl(publicUrl, detector),
      }),
    ),
    ...concerns(alert),
    decision: toDecision(alert.decision),
    evidence: alert.evidence.map(toEvidenceLine),
    summary: alert.summary,
  });
}

/** The decision of an alert as one line, at the event time of the finding that led to it. */
export function toDecisionLine(alert: Alert): DecisionLine {
  return withoutUndefined<DecisionLine>({
    alert_id: alert.alert_id,
    time: rfc3339(alert.updated),
    severity: alert.severity,
    risk: alert.risk,
    ...toDecision(alert.decision),
    ...concerns(alert),
  });
}

/** A finding as one line, complete. */
export function toFindingLine(finding: Finding): FindingLine {
  return withoutUndefined<FindingLine>({
    finding_id: finding.finding_id,
    detector: finding.detector,
    time: rfc3339(finding.time),
    event_id: finding.event_id,
    confidence: finding.confidence,
    conclusive: finding.conclusive,
    signals: finding.signals,
    reason: finding.reason,
    measures: finding.measures,
    ...concerns(finding),
    evidence: finding.evidence.map(toEvidenceLine),
  });
}
