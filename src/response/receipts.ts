import type { Action } from '../../schemas/action.ts';
import { messageOf } from '../errors.ts';
import { withRetry } from '../retry.ts';
import type { AuditEntry, Store } from '../store/port.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Receipt } from './port.ts';
import type { StoredAction } from './stored.ts';

export interface ReceiptBookOptions {
  store: Pick<Store, 'write'>;
  stored: StoredAction;
  log: Logger;
  metrics: Metrics;
}

/** What became of a receipt: it is durable; another worker's was there before; it is not to be, or cannot be written. */
export type Settled = 'recorded' | 'preceded' | 'not recorded';

export interface ReceiptBook {
  /**
   * Makes the final state of an action durable, together with its line in the audit trail, unless the store has a
   * final state already: the first one stands. While the store is away it is tried again, until `signal` aborts or
   * `wanted` says no: then the stored action is pending still, and its next owner asks again.
   */
  settle(action: Action, wanted: () => boolean, signal: AbortSignal): Promise<Settled>;
  /**
   * Records how a pending action fares. Never in the way of the action: where the store is slow, only the latest
   * record is written next; where it is away, none is, and the next record says it too.
   *
   * @param how `urgent` records go out without waiting for company, as long as these inserts do not become too many
   * @returns resolves when nothing of this action is left to be written; never rejects
   */
  progress(action: Action, how?: { urgent: boolean }): Promise<void>;
}

/** Shortest time between urgent inserts, in milliseconds: ClickHouse merges 20 small parts a second without trouble. */
const URGENT_EVERY = 50;

interface Note {
  latest: Action | undefined;
  urgent: boolean;
  written: Promise<void>;
}

/** Keeps what became of actions. */
export function createReceiptBook({ store, stored, log, metrics }: ReceiptBookOptions): ReceiptBook {
  const notes = new Map<string, Note>();
  let urgentAt = -Infinity;

  /** One urgent insert takes along all that wait. */
  function isUrgent({ urgent }: Note): boolean {
    const now = performance.now();
    if (!urgent || now - urgentAt < URGENT_EVERY) return false;
    urgentAt = now;
    return true;
  }

  async function write(note: Note, action_id: string): Promise<void> {
    while (note.latest !== undefined) {
      const row = note.latest;
      note.latest = undefined;
      try {
        await store.write({ actions: [row] }, { urgent: isUrgent(note) });
      } catch (error) {
        log.warn({ action_id }, `progress not recorded: ${messageOf(error)}`);
      }
    }
    notes.delete(action_id);
  }

  return {
    async settle(action, wanted, signal) {
      const { action_id, state } = action;
      const record = async (): Promise<Settled> => {
        const known = await stored(action_id);
        // Asked last, right before the write: from here on it may be another worker's.
        if (!wanted() || signal.aborted) return 'not recorded';
        // What an earlier try of ours has left there is written again: its audit line may be missing.
        if (known !== undefined && known.state !== 'pending' && !isSame(known, action)) return 'preceded';
        await store.write({ actions: [action], audit: [auditEntry(action)] });
        return 'recorded';
      };
      try {
        return await withRetry(record, {
          what: `receipt of action ${action_id} (${state})`,
          log,
          signal,
          onRetry: () => metrics.retries.inc({ stage: 'receipt' }),
        });
      } catch (error) {
        log.error({ action_id, state }, `receipt cannot be recorded: ${messageOf(error)}`);
        return 'not recorded';
      }
    },
    progress(action, { urgent } = { urgent: false }) {
      const { action_id } = action;
      const known = notes.get(action_id);
      if (known !== undefined) {
        Object.assign(known, { latest: action, urgent });
        return known.written;
      }
      const note: Note = { latest: action, urgent, written: Promise.resolve() };
      notes.set(action_id, note);
      note.written = write(note, action_id);
      return note.written;
    },
  };
}

/**
 * The receipt of a recall that came too late.
 *
 * @param expires_at when the token expired by itself, epoch milliseconds
 */
export const expiredReceipt = (expires_at: number): Receipt => ({
  state: 'moot',
  detail: `not asked any more: the token expired by itself at ${new Date(expires_at).toISOString()}`,
});

const isSame = (known: Action, { state, updated_at, detail }: Action): boolean =>
  known.state === state && known.updated_at === updated_at && known.detail === detail;

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
