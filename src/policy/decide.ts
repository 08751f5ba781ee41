import type { Alert, Decision, DecisionAction, Mode } from '../../schemas/alert.ts';
import type { PolicyConfig } from '../../schemas/config.ts';
import type { Finding } from '../../schemas/finding.ts';
import { assess, severityOf, type Assessment } from './assess.ts';
import { createBudget } from './budget.ts';
import { findingsProtectedBy } from './guards.ts';
import { evidenceOfFindings, type Incident } from './incidents.ts';

/** A token to be recalled, with the findings that say so. */
export interface RecallTarget {
  /** Token hash, or jti where the log carries no hash. */
  value: string;
  finding: Finding;
  /** Event time of the latest finding on it. */
  time: number;
  mode: Mode;
  reason: string;
}

export interface Outcome {
  alert: Alert;
  /** Tokens decided on for the first time by this call. */
  recalls: RecallTarget[];
}

interface Judgement {
  action: DecisionAction;
  reason: string;
}

const RANK: Record<DecisionAction, number> = { record: 0, alert: 1, approval: 2, revoke: 3 };

const percent = (share: number) => share.toFixed(2);

/** Names the claims: `token-replay 0.92 (device, location) and impossible-travel 0.70 (location)`. */
function claimsOf({ strongest }: Assessment): string {
  return strongest
    .map(
      (claim) =>
        `${claim.detector} ${percent(claim.confidence)} (${claim.signals.join(', ') || 'no signal'})`,
    )
    .join(' and ');
}

/** What the findings alone call for, before guards that look at clock, lists and budget. */
function judge(policy: PolicyConfig, view: Assessment): Judgement {
  const { risk, signals, conclusive } = view;
  const because = `risk ${percent(risk)} from ${claimsOf(view)}`;
  if (risk < policy.alert_threshold) {
    return { action: 'record', reason: `${because}; below the alert threshold ${policy.alert_threshold}` };
  }
  if (!conclusive && signals.length < policy.min_signals) {
    const seen = `${signals.length} of ${policy.min_signals} independent kinds of evidence`;
    return { action: 'alert', reason: `${because}; ${seen}, so an honest explanation such as a VPN is left` };
  }
  if (risk < policy.approval_threshold) {
    return {
      action: 'alert',
      reason: `${because}; below the approval threshold ${policy.approval_threshold}`,
    };
  }
  if (risk < policy.revoke_threshold) {
    return {
      action: 'approval',
      reason: `${because}; below the revoke threshold ${policy.revoke_threshold}`,
    };
  }
  const grounds = conclusive ? 'conclusive' : `corroborated by ${signals.join(' and ')}`;
  return { action: 'revoke', reason: `${because}; ${grounds}` };
}

const tokenOf = (finding: Finding) => finding.token_hash ?? finding.jti;

/** Groups findings by the token they accuse, the earliest accused first. */
function byToken(findings: readonly Finding[]): Map<string, Finding[]> {
  const groups = new Map<string, Finding[]>();
  for (const finding of findings) {
    const token = tokenOf(finding);
    if (token !== undefined) groups.set(token, [...(groups.get(token) ?? []), finding]);
  }
  return groups;
}

export interface PolicyOptions {
  /** Detectors whose findings are recorded and shown but never act. */
  shadowDetectors: ReadonlySet<string>;
}

/**
 * Creates the policy: it makes an alert of an incident and decides, narrowest handle first.
 * Each token is judged by its own findings, so one stolen token of a session does not take the others with it.
 */
export function createPolicy(policy: PolicyConfig, options: PolicyOptions) {
  const budget = createBudget(policy.budget);
  // What was recalled stays recalled, whatever comes later.
  const settled = new WeakMap<Incident, { decision: Decision; recalled: Set<string> }>();

  /** Guards that can only make a revocation milder: lists, age, budget. */
  function guard(findings: readonly Finding[], judgement: Judgement, now: number): Judgement {
    if (judgement.action !== 'revoke') return judgement;
    const entry = findingsProtectedBy(findings, policy.never_revoke);
    if (entry !== null) return { action: 'alert', reason: `${judgement.reason}; not revoked: ${entry}` };
    const age = now - Math.max(...findings.map((finding) => finding.time));
    if (age > policy.max_event_age) {
      const ages = `${Math.round(age / 1000)} s old, the limit is ${policy.max_event_age / 1000} s`;
      return { action: 'alert', reason: `${judgement.reason}; not revoked: the event is ${ages}` };
    }
    const spent = budget.take(findings[0]?.client_id ?? '', now);
    return spent === null ? judgement : { action: 'approval', reason: `${judgement.reason}; ${spent}` };
  }

  /** Judges one token: by the findings that may act, else by all, then in shadow. */
  function judgeToken(findings: readonly Finding[], now: number): Judgement & { mode: Mode } {
    const acting = findings.filter((finding) => !options.shadowDetectors.has(finding.detector));
    const all = judge(policy, assess(findings));
    const enforced = acting.length === findings.length ? all : judge(policy, assess(acting));
    const shadow = policy.mode === 'shadow' || RANK[enforced.action] < RANK[all.action];
    return { ...guard(findings, all, now), mode: shadow ? 'shadow' : 'enforce' };
  }

  /**
   * Makes the alert of an incident and decides on it.
   *
   * @param now the clock that event age and budget are measured by, epoch milliseconds
   */
  function decide(incident: Incident, now: number): Outcome {
    const { findings } = incident;
    const first = findings[0];
    if (first === undefined) throw new RangeError('an incident has at least one finding');
    const before = settled.get(incident);
    const recalled = before?.recalled ?? new Set<string>();
    const recalls: RecallTarget[] = [];
    // The first token recalled stays the one the alert names; the actions tell the others.
    let decision = before?.decision;
    for (const [value, ofToken] of byToken(findings)) {
      if (recalled.has(value)) continue;
      const { action, mode, reason } = judgeToken(ofToken, now);
      if (decision === undefined || RANK[action] > RANK[decision.action]) {
        decision = { action, handle: 'token', value, mode, reason };
      }
      if (action !== 'revoke') continue;
      recalled.add(value);
      const time = Math.max(...ofToken.map((finding) => finding.time));
      recalls.push({ value, finding: ofToken[0] ?? first, time, mode, reason });
    }
    decision ??= withoutToken(first, judge(policy, assess(findings)));
    if (recalled.size > 0) settled.set(incident, { decision, recalled });
    return { alert: alertOf(incident, decision), recalls };
  }

  /** The findings name no token: there is nothing narrow to revoke, so a person decides. */
  function withoutToken(finding: Finding, judgement: Judgement): Decision {
    const [handle, value] =
      finding.sid !== undefined
        ? (['session', finding.sid] as const)
        : finding.sub !== undefined
          ? (['subject', finding.sub] as const)
          : (['client', finding.client_id ?? ''] as const);
    const action = judgement.action === 'revoke' ? 'approval' : judgement.action;
    const missing = ['the access log names no token: log the token, its hash or its jti at the gateway'];
    return { action, handle, value, mode: policy.mode, reason: judgement.reason, missing };
  }

  return { decide };
}

/** The alert as people and programs see it. */
function alertOf({ alert_id, findings }: Incident, decision: Decision): Alert {
  const view = assess(findings);
  const claim = view.strongest[0];
  const identity = findings.find((finding) => tokenOf(finding) === decision.value) ?? findings[0];
  const { iss, sub, client_id, sid, jti, token_hash } = identity ?? {};
  return {
    alert_id,
    time: Math.min(...findings.map((finding) => finding.time)),
    updated: Math.max(...findings.map((finding) => finding.time)),
    severity: severityOf(view.risk),
    risk: view.risk,
    findings: [...findings],
    ...{ iss, sub, client_id, sid, jti, token_hash },
    decision,
    evidence: evidenceOfFindings(findings),
    summary: `${claim?.reason ?? ''}. ${NEXT[decision.action](decision)}`,
  };
}

const NEXT: Record<DecisionAction, (decision: Decision) => string> = {
  record: () => 'Recorded only.',
  alert: () => 'Look at it; nothing was revoked.',
  approval: ({ handle }) => `Approve or dismiss the recall of the ${handle}.`,
  revoke: ({ handle, mode }) =>
    mode === 'enforce'
      ? `The ${handle} is being recalled.`
      : `In enforce mode the ${handle} would be recalled.`,
};
