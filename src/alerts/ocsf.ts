import type { Alert, AlertStatus, Verdict } from '../../schemas/alert.ts';
import type { Evidence, Severity } from '../../schemas/finding.ts';
import type { AnyDetector } from '../detection/contract.ts';
import { rfc3339, runbookUrl } from './line.ts';
import { attackOf } from './ocsf-attack.ts';

/** The release of the Open Cybersecurity Schema Framework that {@link toOcsf} writes. */
export const OCSF_VERSION = '1.8.0';

const CATEGORY_FINDINGS = 2;
const CLASS_DETECTION_FINDING = 2004;
const ACTIVITY = { Create: 1, Update: 2, Close: 3 } as const;
const SEVERITY = {
  low: [2, 'Low'],
  medium: [3, 'Medium'],
  high: [4, 'High'],
  critical: [5, 'Critical'],
} as const;
const STATUS = {
  open: [1, 'New'],
  acknowledged: [2, 'In Progress'],
  suppressed: [3, 'Suppressed'],
  resolved: [4, 'Resolved'],
} as const;
const RISK_LEVEL = ['Info', 'Low', 'Medium', 'High', 'Critical'] as const;
/** analytic.type_id: the detectors learn what is usual, then say what is not. */
const ANALYTIC_BEHAVIORAL = 2;
/** resource_details.role_id: what the misuse was done to. */
const ROLE_AFFECTED = 3;
const OBSERVABLE = { ip: 2, hash: 8, userAgent: 16, credential: 19, user: 31 } as const;
const MAX_OBSERVABLES = 100;

export interface OcsfContext {
  /** Address of the API, where links to runbooks start; without it there are none. */
  publicUrl?: string | undefined;
  /** Version of this product. */
  productVersion: string;
  /** Where titles and ATT&CK ids of detectors come from. */
  detectors: readonly AnyDetector[];
  /** Where an analyst took the alert; `open` where nobody did. */
  review?: { status: AlertStatus; verdict?: Verdict | undefined } | undefined;
}

/** 0 Info, 1 Low, 2 Medium, 3 High, 4 Critical, by the combined confidence. */
function riskLevel(risk: number): 0 | 1 | 2 | 3 | 4 {
  return risk >= 0.9 ? 4 : risk >= 0.7 ? 3 : risk >= 0.4 ? 2 : risk > 0 ? 1 : 0;
}

function statusOf({ status, verdict }: { status: AlertStatus; verdict?: Verdict | undefined }) {
  // OCSF: Suppressed is what was reviewed and found benign or a false positive.
  return STATUS[status === 'resolved' && verdict !== 'true_positive' ? 'suppressed' : status];
}

/** Create when all findings stand at one instant, Update once the alert has grown, Close once resolved. */
function activityOf(alert: Alert, status: AlertStatus): keyof typeof ACTIVITY {
  return status === 'resolved' ? 'Close' : alert.updated > alert.time ? 'Update' : 'Create';
}

/** Drops absent values, so that the JSON carries no key without a value. */
function known<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

function actorOf(alert: Alert) {
  const { sub, sid, iss, client_id, jti, token_hash } = alert;
  const credential_uid = jti ?? token_hash;
  return known({
    user: sub === undefined ? undefined : known({ uid: sub, credential_uid }),
    session: sid === undefined ? undefined : known({ uid: sid, issuer: iss, credential_uid }),
    app_uid: client_id,
  });
}

function evidenceOf(use: Evidence, actor: ReturnType<typeof actorOf>) {
  const location = known({ city: use.city, country: use.country });
  const request = known({
    uid: use.request_id,
    http_method: use.method,
    url: use.route === undefined ? undefined : { path: use.route },
    user_agent: use.user_agent,
  });
  return known({
    uid: use.event_id,
    actor: Object.keys(actor).length === 0 ? undefined : actor,
    src_endpoint: known({
      ip: use.client_ip,
      location: Object.keys(location).length === 0 ? undefined : location,
      autonomous_system: use.asn === undefined ? undefined : { number: use.asn },
    }),
    http_request: Object.keys(request).length === 0 ? undefined : request,
    http_response: use.status === undefined ? undefined : { code: use.status },
    data: known({ time: rfc3339(use.time), network: use.network, geo_build: use.geo_build }),
  });
}

function observablesOf(alert: Alert) {
  const seen = new Map<string, { name: string; type: string; type_id: number; value: string }>();
  const add = (name: string, type: string, type_id: number, value: string | undefined) => {
    if (value !== undefined && value !== '')
      seen.set(`${String(type_id)} ${value}`, { name, type, type_id, value });
  };
  const credential = 'evidences.actor.user.credential_uid';
  add('evidences.actor.user.uid', 'User Object: uid', OBSERVABLE.user, alert.sub);
  add(credential, 'User Credential ID', OBSERVABLE.credential, alert.jti);
  add('resources.uid', 'Hash', OBSERVABLE.hash, alert.token_hash);
  for (const use of alert.evidence) {
    add('evidences.src_endpoint.ip', 'IP Address', OBSERVABLE.ip, use.client_ip);
    add('evidences.http_request.user_agent', 'HTTP User-Agent', OBSERVABLE.userAgent, use.user_agent);
  }
  return [...seen.values()].slice(0, MAX_OBSERVABLES);
}

function resourcesOf({ token_hash, jti, sid }: Alert) {
  const token = token_hash ?? jti;
  return [
    ...(token === undefined
      ? []
      : [{ type: 'OAuth access token', uid: token, role_id: ROLE_AFFECTED, role: 'Affected' }]),
    ...(sid === undefined
      ? []
      : [{ type: 'OAuth session', uid: sid, role_id: ROLE_AFFECTED, role: 'Affected' }]),
  ];
}

/** A claim as `related_analytics` names it. */
function analyticOf(id: string, detectors: readonly AnyDetector[]) {
  const detector = detectors.find((one) => one.id === id);
  return known({
    uid: id,
    name: detector?.title ?? id,
    type_id: ANALYTIC_BEHAVIORAL,
    type: 'Behavioral',
    desc: detector?.description,
  });
}

/**
 * An alert as an OCSF Detection Finding (class 2004 of the Findings category, OCSF {@link OCSF_VERSION}).
 * Times are epoch milliseconds, scores 0 to 100. Receivers keep one finding by `finding_info.uid`; what has no
 * place in the class stands in `unmapped`.
 *
 * Source: https://schema.ocsf.io/1.8.0/classes/detection_finding
 */
export function toOcsf(alert: Alert, context: OcsfContext) {
  const review = context.review ?? { status: 'open' };
  const activity = activityOf(alert, review.status);
  const [severity_id, severity] = SEVERITY[alert.severity satisfies Severity];
  const [status_id, status] = statusOf(review);
  const score = Math.round(alert.risk * 100);
  const level = riskLevel(alert.risk);
  const ids = [...new Set(alert.findings.map((finding) => finding.detector))];
  const strongest = alert.findings.reduce<Alert['findings'][number] | undefined>(
    (best, one) => (best === undefined || one.confidence > best.confidence ? one : best),
    undefined,
  );
  const { publicUrl } = context;
  const runbook = (id: string | undefined) =>
    publicUrl === undefined || id === undefined ? undefined : runbookUrl(publicUrl, id);
  const runbooks = ids.map(runbook).filter((url) => url !== undefined);
  const techniques = new Set(
    ids.flatMap((id) => context.detectors.find((one) => one.id === id)?.attack ?? []),
  );
  const times = alert.evidence.map((use) => use.time);
  const actor = actorOf(alert);
  return known({
    category_uid: CATEGORY_FINDINGS,
    category_name: 'Findings',
    class_uid: CLASS_DETECTION_FINDING,
    class_name: 'Detection Finding',
    activity_id: ACTIVITY[activity],
    activity_name: activity,
    type_uid: CLASS_DETECTION_FINDING * 100 + ACTIVITY[activity],
    type_name: `Detection Finding: ${activity}`,
    // Of a finding, `time` is its creation; the update stands in `finding_info.modified_time`.
    time: alert.time,
    start_time: Math.min(alert.time, ...times),
    end_time: Math.max(alert.updated, ...times),
    severity_id,
    severity,
    status_id,
    status,
    message: alert.summary,
    is_alert: activity !== 'Close',
    confidence_score: Math.round((strongest?.confidence ?? 0) * 100),
    risk_score: score,
    risk_level_id: level,
    risk_level: RISK_LEVEL[level],
    finding_info: known({
      uid: alert.alert_id,
      title: strongest === undefined ? alert.summary : analyticOf(strongest.detector, context.detectors).name,
      desc: alert.summary,
      created_time: alert.time,
      modified_time: alert.updated,
      first_seen_time: times.length === 0 ? undefined : Math.min(...times),
      last_seen_time: times.length === 0 ? undefined : Math.max(...times),
      types: ids,
      analytic: strongest === undefined ? undefined : analyticOf(strongest.detector, context.detectors),
      related_analytics: ids
        .filter((id) => id !== strongest?.detector)
        .map((id) => analyticOf(id, context.detectors)),
      attacks: [...techniques].map(attackOf),
      src_url: runbook(strongest?.detector),
    }),
    evidences: alert.evidence.map((use) => evidenceOf(use, actor)),
    resources: resourcesOf(alert),
    observables: observablesOf(alert),
    remediation: known({
      desc: remediationOf(alert),
      references: runbooks.length === 0 ? undefined : runbooks,
    }),
    metadata: {
      version: OCSF_VERSION,
      product: { name: 'Token Recall', vendor_name: 'Token Recall', version: context.productVersion },
      profiles: [],
      uid: `${alert.alert_id}.${String(alert.updated)}`,
      event_code: ids.join(','),
    },
    unmapped: {
      decision: alert.decision,
      findings: alert.findings.map(({ detector, confidence, reason, signals, conclusive }) => ({
        detector,
        confidence,
        reason,
        signals,
        conclusive,
      })),
      ...known({ verdict: review.verdict, iss: alert.iss, client_id: alert.client_id }),
    },
  });
}

function remediationOf({ decision }: Alert): string {
  const { action, handle, value, mode, reason } = decision;
  const what = {
    record: 'Nothing to do',
    alert: 'Look into it',
    approval: 'Approve or refuse to recall',
    revoke: 'Recall',
  };
  const target = action === 'approval' || action === 'revoke' ? ` ${handle} ${value} (${mode})` : '';
  return `${what[action]}${target}: ${reason}`;
}
