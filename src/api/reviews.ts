import type { AlertStatus, Verdict } from '../../schemas/alert.ts';
import type { AlertReview, Store } from '../store/port.ts';
import type { AlertRow } from '../store/reads.ts';
import { Problem } from './problem.ts';

/** A step an analyst takes with an alert. */
export type ReviewStep =
  { status: 'acknowledged'; note: string } | { status: 'resolved'; verdict: Verdict; note: string };

interface Standing {
  status: AlertStatus;
  verdict?: Verdict | undefined;
}

/**
 * Whether the step changes where the alert stands. The same step twice is one: it answers as the first did.
 *
 * @throws Problem 409 where the alert is resolved already: its verdict may have been acted on
 */
function changes(from: Standing, step: ReviewStep): boolean {
  if (from.status !== 'resolved') return from.status !== step.status;
  if (step.status === 'resolved' && step.verdict === from.verdict) return false;
  const said = from.verdict === undefined ? '' : ` as ${from.verdict}`;
  throw new Problem(409, 'conflict', `The alert is resolved already${said}.`);
}

/**
 * Takes an alert from where it stands to the next step, and makes it durable with its line of the audit trail.
 *
 * @returns the alert as it stands then
 * @throws Problem 409; RecallError ERR_STORE_UNAVAILABLE
 */
export async function review<A extends AlertRow & { reviews: readonly AlertReview[] }>(
  store: Store,
  row: A,
  step: ReviewStep,
  actor: string,
): Promise<A> {
  if (!changes(row, step)) return row;
  const at = Date.now();
  const verdict = step.status === 'resolved' ? step.verdict : undefined;
  const said: AlertReview = {
    alert_id: row.alert_id,
    at,
    actor,
    status: step.status,
    verdict,
    note: step.note,
  };
  await store.write({
    reviews: [said],
    audit: [
      {
        at,
        actor,
        action: step.status === 'resolved' ? 'alert.resolve' : 'alert.acknowledge',
        target: `alert ${row.alert_id}`,
        outcome: verdict ?? 'acknowledged',
        detail: step.note,
      },
    ],
  });
  return { ...row, status: step.status, verdict, reviews: [...row.reviews, said] };
}
