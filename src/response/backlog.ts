import type { Action } from '../../schemas/action.ts';
import { messageOf } from '../errors.ts';
import { withRetry } from '../retry.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';

export interface BacklogOptions {
  /** Whether there is room enough for it to be worth a query. */
  hasRoom(): boolean;
  /** Pending actions of this server and a partition, oldest first. @throws RecallError ERR_STORE_* */
  read(partition: string, limit: number): Promise<Action[]>;
  /** Most actions that `read` is to return: more than there is ever room for. */
  limit: number;
  /** Takes one into memory, if it is not there; where there is no room, {@link Backlog.leave}s it. */
  begin(action: Action): void;
  /** Is given what has to be waited for before the process may end. */
  track(work: Promise<void>): void;
  log: Logger;
  metrics: Metrics;
  /** Aborted when nothing more is to be begun. */
  signal: AbortSignal;
}

/** The actions of one server that were left in the store for want of room: how many, of which partitions. */
export interface Backlog {
  /** Counts an action that is durable and pending in the store. */
  leave(partition: string): void;
  /** Counts no more for `partition`, and takes nothing of it up. */
  forget(partition: string): void;
  /** How many wait in the store; one submitted twice is counted twice. */
  size(): number;
  /** Where there is room, has the store read and takes up what waits there. */
  refill(): void;
}

export function createBacklog(options: BacklogOptions): Backlog {
  const { limit, log, signal } = options;
  const left = new Map<string, number>();
  let reading: { readonly partition: string; readonly count: number; forgotten: boolean } | undefined;

  const leave = (partition: string, count: number) => {
    left.set(partition, (left.get(partition) ?? 0) + count);
  };

  /** Reads one partition; rows submitted from here on count anew, for the query may miss them. */
  async function readOne(partition: string, count: number): Promise<void> {
    left.delete(partition);
    const turn = { partition, count, forgotten: false };
    reading = turn;
    const rows = await withRetry(() => options.read(partition, limit), {
      what: `reading the recalls of partition "${partition}" that wait in the store`,
      log,
      signal,
      onRetry: () => options.metrics.retries.inc({ stage: 'outbox' }),
    });
    // Before anything else runs, so that at no moment an action that waits is counted nowhere.
    reading = undefined;
    if (turn.forgotten || signal.aborted) return;
    // A full answer, after which there may be more, holds more than there is room for: the rest counts anew.
    for (const row of rows) options.begin(row);
  }

  async function readOn(): Promise<void> {
    for (let [next] = left; next !== undefined && options.hasRoom() && !signal.aborted; [next] = left) {
      await readOne(...next);
    }
  }

  function refill(): void {
    if (reading !== undefined || left.size === 0 || signal.aborted || !options.hasRoom()) return;
    options.track(
      readOn().catch((error: unknown) => {
        const turn = reading;
        reading = undefined;
        // Kept for the next time there is room. While stopping that is the next process.
        if (turn !== undefined && !turn.forgotten) leave(turn.partition, turn.count);
        if (!signal.aborted) log.error(`recalls wait in the store: ${messageOf(error)}`);
      }),
    );
  }

  return {
    leave(partition) {
      leave(partition, 1);
      refill();
    },
    forget(partition) {
      left.delete(partition);
      if (reading?.partition === partition) reading.forgotten = true;
    },
    size() {
      let size = reading === undefined || reading.forgotten ? 0 : reading.count;
      for (const count of left.values()) size += count;
      return size;
    },
    refill,
  };
}
