import type { Action } from '../../schemas/action.ts';
import type { Alert, Decision, DecisionAction, Mode } from '../../schemas/alert.ts';
import type { PolicyConfig } from '../../schemas/config.ts';
import type { Finding } from '../../schemas/finding.ts';
import { assess, severityOf, type Assessment } from './assess.ts';
import { createBudget } from './budget.ts';
import { findingsProtectedBy } from './guards.ts';
import { evidenceOfFindings, strongestOf, type Incident } from './incidents.ts';

/** A token to be recalled, with the findings that say so. */
export interface RecallTarget {
  /** Token hash, or jti where the log carries no hash. */
  value: string;
  finding: Finding;
  /** Event time of the latest finding on it. */
  time: number;
  mode: Mode;
  reason: string;
  /** Says that the recall is under way: until then every new finding asks for it again. */
  settle(): void;
}

export interface Outcome {
  alert: Alert;
  /** Tokens to be recalled whose recall is not yet settled. */
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

/** How much a decision weighs: what is carried out more than what is not, then what goes further. */
function weightOf({ action, mode }: Decision): number {
  return mode === 'enforce' && action !== 'record' ? RANK[action] + RANK.revoke : RANK[action];
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
  // What is only imagined must not use up what is needed.
  const budgets = { enforce: createBudget(policy.budget), shadow: createBudget(policy.budget) };

  /** Guards that can only make a revocation milder: lists, age, budget. */
  function guard(findings: readonly Finding[], judgement: Judgement, now: number, mode: Mode): Judgement {
    const { action, reason } = judgement;
    const [first] = findings;
    if (action !== 'revoke' || first === undefined) return judgement;
    const entry = findingsProtectedBy(findings, policy.never_revoke);
    if (entry !== null) return { action: 'alert', reason: `${reason}; not revoked: ${entry}` };
    if (!isFresh(findings, now)) {
      const newest = Math.max(...findings.map((finding) => finding.time));
      const ages = `up to ${Math.round((now - newest) / 1000)} s old, the limit is ${policy.max_event_age / 1000} s`;
      return { action: 'alert', reason: `${reason}; not revoked: what it rests on is ${ages}` };
    }
    const spent = budgets[mode].take(tokenOf(first) ?? '', first.client_id ?? '', now);
    return spent === null ? judgement : { action: 'approval', reason: `${reason}; ${spent}` };
  }

  /** Whether the revocation rests on recent findings: they call for it alone, or without them nothing would. */
  function isFresh(findings: readonly Finding[], now: number): boolean {
    const recent = findings.filter(({ time }) => now - time <= policy.max_event_age);
    if (recent.length === 0 || recent.length === findings.length) return recent.length > 0;
    const calls = (some: readonly Finding[]) => judge(policy, assess(some)).action === 'revoke';
    return calls(recent) || !calls(findings.filter((finding) => !recent.includes(finding)));
  }

  /**
   * Judges one token by the findings that may act. Detectors in shadow are shown where they would have gone further:
   * as the decision, in shadow, where the others have nothing to say; in words, where they do.
   */
  function judgeToken(findings: readonly Finding[], now: number): Judgement & { mode: Mode } {
    const judged = (some: readonly Finding[], mode: Mode) => ({
      ...guard(some, judge(policy, assess(some)), now, mode),
      mode,
    });
    if (policy.mode === 'shadow') return judged(findings, 'shadow');
    const acting = findings.filter((finding) => !options.shadowDetectors.has(finding.detector));
    if (acting.length === findings.length) return judged(findings, 'enforce');
    const shadow = judged(findings, 'shadow');
    if (acting.length === 0) return shadow;
    const enforced = judged(acting, 'enforce');
    if (RANK[enforced.action] >= RANK[shadow.action]) return enforced;
    if (enforced.action === 'record') return shadow;
    return { ...enforced, reason: `${enforced.reason}; with the detectors in shadow: ${shadow.action}` };
  }

  /**
   * Makes the alert of an incident and decides on it.
   *
   * @param now the clock that event age and budget are measured by, epoch milliseconds
   */
  function decide(incident: Incident, now: number): Outcome {
    const { findings } = incident;
    const [first] = findings;
    if (first === undefined) throw new RangeError('an incident has at least one finding');
    const recalls: RecallTarget[] = [];
    // Of tokens that weigh the same the alert names the one accused first, in whichever order they were recalled; the
    // actions tell the others.
    let decision: Decision | undefined;
    for (const [value, ofToken] of byToken(findings)) {
      const under = incident.settled?.[value];
      const next = under?.mode === 'enforce' ? under : decideToken(value, ofToken, under, now);
      if (decision === undefined || weightOf(next) > weightOf(decision)) decision = next;
      if (next.action !== 'revoke' || next.mode === under?.mode) continue;
      recalls.push({
        value,
        finding: ofToken[0] ?? first,
        time: Math.max(...ofToken.map((finding) => finding.time)),
        ...{ mode: next.mode, reason: next.reason },
        settle: () => (incident.settled = { ...incident.settled, [value]: next }),
      });
    }
    decision ??= withoutToken(first, judge(policy, assess(findings)));
    return { alert: alertOf(incident, decision), recalls };
  }

  /** What is to be done about one token; what was settled in shadow stays unless more is called for. */
  function decideToken(
    value: string,
    findings: readonly Finding[],
    under: Decision | undefined,
    now: number,
  ): Decision {
    const { action, mode, reason } = judgeToken(findings, now);
    const next: Decision = { action, handle: 'token', value, mode, reason };
    return under !== undefined && weightOf(under) >= weightOf(next) ? under : next;
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

  return {
    decide,
    /**
     * Counts recalls for the budget that were decided before this process, or by other workers.
     *
     * @param recalls tokens with when their recall was decided, epoch milliseconds
     */
    remember(recalls: readonly { value: string; client_id: string; at: number }[]): void {
      for (const { value, client_id, at } of recalls) budgets.enforce.remember(value, client_id, at);
    },
  };
}

export type Policy = ReturnType<typeof createPolicy>;

/** The alert as people and programs see it. */
function alertOf({ alert_id, findings, version }: Incident, decision: Decision): Alert {
  const view = assess(findings);
  const shown = strongestOf(findings);
  const identity = findings.find((finding) => tokenOf(finding) === decision.value) ?? findings[0];
  const { iss, sub, client_id, sid, jti, token_hash } = identity ?? {};
  return {
    alert_id,
    version,
    time: Math.min(...findings.map((finding) => finding.time)),
    updated: Math.max(...findings.map((finding) => finding.time)),
    severity: severityOf(view.risk),
    risk: view.risk,
    findings: shown,
    ...{ iss, sub, client_id, sid, jti, token_hash },
    decision,
    evidence: evidenceOfFindings(shown),
    summary: summaryOf(findings, decision),
  };
}

/** One sentence on the strongest claim, and one on what comes next, or, where a recall has ended, what came of it. */
export function summaryOf(
  findings: readonly Finding[],
  decision: Decision,
  receipt?: Pick<Action, 'state' | 'detail'>,
): string {
  const next = receipt === undefined ? NEXT[decision.action](decision) : cameOf(decision, receipt);
  return `${assess(findings).strongest[0]?.reason ?? ''}. ${next}`;
}

function cameOf({ handle }: Decision, { state, detail }: Pick<Action, 'state' | 'detail'>): string {
  switch (state) {
    case 'confirmed':
      return `The ${handle} was recalled and is proven dead: ${detail}.`;
    case 'accepted':
      return `The ${handle} was recalled; nothing proves it dead: ${detail}.`;
    case 'moot':
      return `The ${handle} was not recalled before it expired by itself: ${detail}.`;
    case 'failed':
      return `The recall of the ${handle} failed, so look at it now: ${detail}.`;
    case 'pending':
      return `The recall of the ${handle} waits: ${detail}.`;
  }
}

const NEXT: Record<DecisionAction, (decision: Decision) => string> = {
  record: () => 'Recorded only.',
  alert: () => 'Look at it; nothing was revoked.',
  approval: ({ handle }) => `Approve or dismiss the recall of the ${handle}.`,
  revoke: ({ handle, mode, missing }) => {
    if (missing !== undefined) return `The ${handle} cannot be recalled: ${missing.join('; ')}.`;
    return mode === 'enforce'
      ? `The ${handle} is being recalled.`
      : `In enforce mode the ${handle} would be recalled.`;
  },
};
