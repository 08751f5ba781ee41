import type { Action } from '../../schemas/action.ts';
import type { Alert } from '../../schemas/alert.ts';
import type { Finding } from '../../schemas/finding.ts';
import type { WorkerObserver } from '../pipeline/road.ts';
import type { Timeline } from './timeline.ts';

/** Tells the timeline what the worker found, decided and did, and remembers it for the verdict. */
export interface Narrator extends Required<WorkerObserver> {
  findings(): number;
  /** The latest version of each alert. */
  alerts(): Alert[];
  /** The latest receipt of each action. */
  receipts(): Action[];
}

/** Whose token it is, as far as the event said. */
const whose = ({ sub, client_id }: { sub?: string | undefined; client_id?: string | undefined }) =>
  sub === undefined ? (client_id ?? 'an unknown client') : `${sub} at ${client_id ?? 'an unknown client'}`;

/** Creates a narrator. It tells one finding of each detector on a token, each change of a decision, each receipt. */
export function createNarrator(timeline: Timeline): Narrator {
  let findings = 0;
  let untold: Finding[] = [];
  const told = new Set<string>();
  const alerts = new Map<string, Alert>();
  const receipts = new Map<string, Action>();

  function tell(finding: Finding): void {
    const { detector, token_hash, sub, client_id } = finding;
    const key = `${detector} ${token_hash ?? finding.jti ?? whose(finding)}`;
    if (told.has(key)) return;
    told.add(key);
    const confidence = finding.confidence.toFixed(2);
    const text = `${detector} (${confidence}) on the token of ${whose(finding)}: ${finding.reason}`;
    timeline.say('finding', 'finding', text, {
      detector,
      confidence: finding.confidence,
      token_hash,
      sub,
      client_id,
    });
  }

  return {
    findings: () => findings,
    alerts: () => [...alerts.values()],
    receipts: () => [...receipts.values()],
    finding(finding) {
      findings += 1;
      untold.push(finding);
    },
    alert(alert) {
      // The findings of a batch come first; of those that say the same, the strongest is told.
      for (const finding of untold.sort((a, b) => b.confidence - a.confidence)) tell(finding);
      untold = [];
      const before = alerts.get(alert.alert_id);
      alerts.set(alert.alert_id, alert);
      const { action, mode, reason, handle, missing = [] } = alert.decision;
      if (before?.decision.action === action) return;
      const what = {
        record: 'record only',
        alert: 'alert a person, touch nothing',
        approval: `ask a person to approve the recall of the ${handle}`,
        revoke: `revoke the ${handle} (${mode})`,
      }[action];
      const but = missing.length === 0 ? '' : `; missing: ${missing.join(', ')}`;
      const { alert_id, risk, token_hash, sub, client_id } = alert;
      timeline.say('decision', 'decision', `${what}: ${reason}${but}`, {
        alert_id,
        action,
        mode,
        risk,
        token_hash,
        sub,
        client_id,
      });
    },
    receipt(receipt) {
      const before = receipts.get(receipt.action_id);
      receipts.set(receipt.action_id, receipt);
      if (before?.state === receipt.state && before.attempts === receipt.attempts) return;
      const { action_id, state, attempts, responder, token_hash } = receipt;
      const seconds = (receipt.updated_at - receipt.event_time) / 1000;
      const proven = state === 'confirmed' || state === 'failed';
      const text = `${state}: ${receipt.detail}${proven ? ` (${seconds.toFixed(1)} s after the request that gave it away)` : ''}`;
      timeline.say(proven ? 'proof' : 'recall', 'receipt', text, {
        action_id,
        state,
        attempts,
        responder,
        token_hash,
        seconds,
      });
    },
  };
}

/** The alerts and receipts that concern `tokenHash`, whatever else their incident holds. */
export function concerning(
  tokenHash: string,
  { alerts, receipts }: { alerts: readonly Alert[]; receipts: readonly Action[] },
): { alerts: Alert[]; receipts: Action[] } {
  const accuses = (finding: Finding) => finding.token_hash === tokenHash;
  return {
    alerts: alerts.filter((alert) => alert.decision.value === tokenHash || alert.findings.some(accuses)),
    receipts: receipts.filter((receipt) => receipt.value === tokenHash || receipt.token_hash === tokenHash),
  };
}
