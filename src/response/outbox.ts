import { LRUCache } from 'lru-cache';
import type { Action } from '../../schemas/action.ts';
import type { Backoff } from '../backoff.ts';
import { messageOf } from '../errors.ts';
import type { Store } from '../store/port.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { createBacklog, type Backlog } from './backlog.ts';
import { createCarrier, type Ending, type Task } from './carry-out.ts';
import { healthOf, type LaneHealth } from './health.ts';
import { createPlaces, type Places } from './places.ts';
import { NOWHERE, type Lane, type Responder } from './port.ts';
import { createReceiptBook } from './receipts.ts';
import { createStoredAction } from './stored.ts';

/** From soon, for the thief goes on, to twice a minute at a server that stays away. */
const BACKOFF: Backoff = { first: 500, longest: 30_000 };
/** Actions in memory, about 2 kB each with all that waits for them. */
const CAPACITY = 10_000;
/** Finished actions remembered, so that one submitted again is not carried out again. */
const REMEMBERED = 100_000;

export interface OutboxOptions {
  responder: Responder;
  store: Pick<Store, 'write'>;
  /**
   * Reads actions back from the store, as they stand there.
   *
   * @throws RecallError ERR_STORE_UNAVAILABLE or ERR_STORE_REFUSED
   */
  reads: {
    actionsById(ids: readonly string[]): Promise<Action[]>;
    /** Pending actions of a state partition ('' for those of none), oldest first, at most `limit` of each issuer. */
    pendingActions(partition: string, limit: number): Promise<Action[]>;
  };
  /** Why an action must not be carried out, or null. Asked right before each attempt. */
  guard(action: Action): string | null;
  log: Logger;
  metrics: Metrics;
  /** Told of each action that reached its final state, once that is durable. */
  onReceipt?: ((action: Action) => void) | undefined;
  backoff?: Backoff | undefined;
  /** Most actions in memory at once. */
  capacity?: number | undefined;
}

/**
 * Where the actions come from. `decided`: by this process, just now, so that nobody else can have begun them.
 * `loaded`: anything else, such as the store after a start or a takeover; the store is asked again, right before the
 * first attempt, what has become of them.
 */
export type Origin = 'decided' | 'loaded';

export interface Outbox {
  /** Takes durable, pending actions over. One that is under way or finished in this process is ignored. */
  submit(actions: readonly Action[], origin?: Origin): void;
  /** Takes up what the store holds of a state partition that is this worker's from now on ('' for actions of none). */
  resume(partition: string): void;
  /**
   * Lets go of the actions of a state partition that this worker does not own any more: begins nothing new for them.
   * Attempts under way end, but what comes of them is not recorded: the next owner carries these actions out.
   */
  drop(partition: string): void;
  /** How many actions have no final, durable state yet, in memory and, as far as known, in the store. */
  pending(): number;
  /** By issuer: whether the server takes revocations, how many wait, and what failed last. */
  health(): Record<string, LaneHealth>;
  /** Resolves when no action is pending. */
  idle(): Promise<void>;
  /**
   * Takes no more, begins no attempt, and gives those under way `deadlineMs` to end. What is unfinished stays
   * pending in the store, for the next process. Resolves within the deadline, whoever hangs.
   */
  close(deadlineMs: number): Promise<void>;
}

interface Queue {
  readonly lane: Lane;
  readonly places: Places;
  readonly backlog: Backlog;
  held: number;
}

const partitionOf = ({ partition = '' }: Action): string => partition;

/**
 * Carries actions out: each is asked for at least once and recorded once. Attempts at one server are limited
 * in number, guarded, and repeated with growing waits while the server is away, until the token has expired.
 * An action in shadow mode is never carried out.
 *
 * Memory is bounded. A server may have as many actions in it as there is room left for others, so that one that is
 * away never takes all ("dynamic threshold", Choudhury and Hahne 1998); the rest stays in the store until there is room.
 */
export function createOutbox(options: OutboxOptions): Outbox {
  const { responder, log, metrics, reads, capacity = CAPACITY, backoff = BACKOFF } = options;
  const held = new Map<string, Task>();
  const finished = new LRUCache<string, true>({ max: REMEMBERED });
  /** All that is not over: tasks, also dropped ones, and reading from the store. */
  const running = new Set<Promise<void>>();
  const stopping = new AbortController();
  const giveUp = new AbortController();

  const stored = createStoredAction((ids) => reads.actionsById(ids));
  const receipts = createReceiptBook({ ...options, stored });
  const carryOut = createCarrier({
    ...options,
    ...{ receipts, stored, backoff, stopping: stopping.signal, giveUp: giveUp.signal },
  });

  const queues = responder.lanes.map((lane): Queue => {
    const queue: Queue = {
      ...{ lane, places: createPlaces(lane), held: 0 },
      backlog: createBacklog({
        ...{ log, metrics, signal: stopping.signal, limit: capacity },
        hasRoom: () => queue.held * 2 <= capacity - held.size,
        read: async (partition, limit) =>
          (await reads.pendingActions(partition, limit)).filter((row) => responder.laneOf(row) === lane),
        // As the store has it now: no need to look again.
        begin: (action) => begin(action, false),
        track,
      }),
    };
    return queue;
  });
  const servers = queues.filter(({ lane }) => lane.name !== NOWHERE);
  const queueOf = new Map(queues.map((queue) => [queue.lane, queue]));

  function track(work: Promise<void>): void {
    const run = work.finally(() => running.delete(run));
    running.add(run);
  }

  /** Takes an action into memory, if it is to be carried out and nobody does. Without room it is counted, for later. */
  function begin(action: Action, look: boolean): void {
    const { action_id, state } = action;
    const queue = queueOf.get(responder.laneOf(action));
    if (queue === undefined || state !== 'pending' || stopping.signal.aborted) return;
    if (held.has(action_id) || finished.has(action_id)) return;
    if (queue.held >= capacity - held.size) {
      queue.backlog.leave(partitionOf(action));
      return;
    }
    const { places } = queue;
    const wake = new AbortController();
    const task: Task = {
      ...{ action, look, places, wake, noted: Promise.resolve() },
      ...{ expired: false, dropped: false, taken: false },
    };
    held.set(action_id, task);
    queue.held += 1;
    track(
      carryOut(task)
        .then((ending) => conclude(task, ending))
        .catch((error: unknown) => log.error({ action_id }, `recall broke off: ${messageOf(error)}`))
        .finally(() => {
          if (held.get(action_id) === task) release(task, queue);
          refill();
        }),
    );
  }

  function release({ action }: Task, queue: Queue): void {
    held.delete(action.action_id);
    queue.held -= 1;
  }

  /** Room in memory is shared: what one server gives back another may use. */
  function refill(): void {
    for (const { backlog } of queues) backlog.refill();
  }

  function conclude({ action, dropped }: Task, ending: Ending): void {
    const { action_id, state, detail } = action;
    const openStill = ending === 'left' || (ending === 'not recorded' && (dropped || giveUp.signal.aborted));
    if (!openStill) finished.set(action_id, true);
    if (ending !== 'recorded') return;
    metrics.receipts.inc({ responder: responder.kind, state });
    if (state === 'failed' || state === 'moot') {
      metrics.unfulfilledRecalls.inc({ issuer: responder.laneOf(action).name, state });
      log.warn({ action_id }, `recall ${state}: ${detail}`);
    }
    options.onReceipt?.(action);
  }

  const waiting = (queue: Queue) => queue.held + queue.backlog.size();
  const pending = () => queues.reduce((sum, queue) => sum + waiting(queue), 0);

  metrics.outboxPending.watch((gauge) => gauge.set(pending()));
  metrics.outboxOldest.watch((gauge) => {
    const now = Date.now();
    let oldest = now;
    for (const { action } of held.values()) oldest = Math.min(oldest, action.requested_at);
    gauge.set((now - oldest) / 1000);
  });
  metrics.responderCircuitOpen.watch((gauge) => {
    for (const { lane } of servers)
      gauge.set({ issuer: lane.name }, lane.circuit.state() === 'closed' ? 0 : 1);
  });

  return {
    submit(actions, origin = 'loaded') {
      for (const action of actions) begin(action, origin === 'loaded');
    },
    resume(partition) {
      for (const { backlog } of queues) backlog.leave(partition);
    },
    drop(partition) {
      for (const task of held.values()) {
        if (partitionOf(task.action) !== partition) continue;
        task.dropped = true;
        task.wake.abort();
        const queue = queueOf.get(responder.laneOf(task.action));
        if (queue !== undefined) release(task, queue);
      }
      for (const { backlog } of queues) backlog.forget(partition);
      refill();
    },
    pending,
    health: () =>
      Object.fromEntries(servers.map((queue) => [queue.lane.name, healthOf(queue.lane, waiting(queue))])),
    async idle() {
      // Where only the store could go on, and refuses to, there is nothing to wait for.
      while (pending() > 0 && running.size > 0) await Promise.all(running);
    },
    async close(deadlineMs) {
      stopping.abort();
      for (const { wake } of held.values()) wake.abort();
      let timer: NodeJS.Timeout | undefined;
      const deadline = new Promise<void>((resolve) => {
        timer = setTimeout(() => {
          giveUp.abort();
          resolve();
        }, deadlineMs);
      });
      await Promise.race([Promise.all(running), deadline]);
      clearTimeout(timer);
    },
  };
}
