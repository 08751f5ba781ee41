import { setTimeout as sleep } from 'node:timers/promises';
import type { Action } from '../../schemas/action.ts';
import { isRecallError, messageOf } from '../errors.ts';
import type { AuditEntry, Store } from '../store/port.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { waitAfter, type Backoff } from '../backoff.ts';

const BACKOFF: Backoff = { first: 100, longest: 10_000 };

export interface ReceiptBookOptions {
  store: Store;
  log: Logger;
  metrics: Metrics;
}

export interface ReceiptBook {
  /**
   * Makes the final state of an action durable, together with its line in the audit trail. While the store is away
   * it is tried again, until `signal` aborts. True once durable; where false, the stored action is pending still,
   * and is asked for again by the next process.
   */
  settle(action: Action, signal: AbortSignal): Promise<boolean>;
  /** Records how a pending action fares. Not tried again where the store is away: the next record says it too. */
  progress(action: Action): Promise<void>;
}

/** Keeps what became of actions. */
export function createReceiptBook({ store, log, metrics }: ReceiptBookOptions): ReceiptBook {
  return {
    async settle(action, signal) {
      const rows = { actions: [action], audit: [auditEntry(action)] };
      for (let failures = 1; !signal.aborted; failures += 1) {
        try {
          await store.write(rows);
          return true;
        } catch (error) {
          const { action_id, state } = action;
          if (!isRecallError(error) || error.disposition !== 'retry') {
            log.error({ action_id, state }, `receipt cannot be recorded: ${messageOf(error)}`);
            return false;
          }
          metrics.retries.inc({ stage: 'receipt' });
          log.warn({ action_id, state }, `receipt waits for the store: ${messageOf(error)}`);
          await sleep(waitAfter(failures, BACKOFF), undefined, { signal }).catch(() => undefined);
        }
      }
      return false;
    },
    async progress(action) {
      try {
        await store.write({ actions: [action] });
      } catch (error) {
        log.warn({ action_id: action.action_id }, `progress not recorded: ${messageOf(error)}`);
      }
    },
  };
}

function auditEntry({ updated_at, requested_by, handle, value, state, detail }: Action): AuditEntry {
  return {
    at: updated_at,
    actor: requested_by,
    action: 'recall.receipt',
    target: `${handle} ${value}`,
    outcome: state,
    detail,
  };
}
