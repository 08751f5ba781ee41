import { alert as alertSchema } from '../../schemas/alert.ts';
import type { Action } from '../../schemas/action.ts';
import type { Alert } from '../../schemas/alert.ts';
import { messageOf } from '../errors.ts';
import { summaryOf } from '../policy/decide.ts';
import type { Store } from '../store/port.ts';
import type { Reads } from '../store/reads.ts';
import type { Logger } from '../telemetry/log.ts';

export interface RetellOptions {
  reads: Pick<Reads, 'getAlert'>;
  store: Pick<Store, 'write'>;
  dispatcher: { submit(alert: Alert): void };
  log: Logger;
  /** Runs a call of the store until it succeeds; rejects where it never will, or where the worker stops. */
  untilTaken: <T>(what: string, attempt: () => Promise<T>) => Promise<T>;
}

/**
 * Creates the function that says in an alert what came of its recall, and hands it to the sinks anew: that a recall
 * failed is what its reader most needs to know. Only the token that the alert names; the actions tell of the others.
 */
export function createRetell({ reads, store, dispatcher, log, untilTaken }: RetellOptions) {
  return async function retell(action: Action): Promise<void> {
    const { alert_id, value } = action;
    if (alert_id === undefined) return;
    try {
      const row = await untilTaken('reading an alert', () => reads.getAlert(alert_id));
      if (row === null || row.decision.value !== value) return;
      // Without where analysts took it, which is no part of the alert.
      const before: Alert = alertSchema.parse(row);
      const alert: Alert = {
        ...before,
        // The view of alerts as analysts see them does not tell.
        partition: action.partition,
        // Next to the one that was read: a version that detection makes meanwhile has more in it, and counts.
        version: before.version + 1,
        summary: summaryOf(before.findings, before.decision, action),
      };
      await untilTaken('storing an alert', () => store.write({ alerts: [alert] }));
      dispatcher.submit(alert);
    } catch (error) {
      log.warn({ alert_id }, `the alert does not say what came of its recall: ${messageOf(error)}`);
    }
  };
}
