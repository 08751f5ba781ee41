import { setTimeout as sleep } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import pLimit, { type LimitFunction } from 'p-limit';
import type { Action } from '../../schemas/action.ts';
import { isRecallError, messageOf } from '../errors.ts';
import type { Store } from '../store/port.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { waitAfter, type Backoff } from '../backoff.ts';
import type { Receipt, Responder } from './port.ts';
import { createReceiptBook } from './receipts.ts';

/** From soon, for the thief goes on, to twice a minute at a server that stays away. */
const BACKOFF: Backoff = { first: 500, longest: 30_000 };
/** Finished actions remembered, so that one submitted again is not carried out again. */
const REMEMBERED = 100_000;

export interface OutboxOptions {
  responder: Responder;
  store: Store;
  /** Why an action must not be carried out, or null. Asked right before each attempt. */
  guard(action: Action): string | null;
  log: Logger;
  metrics: Metrics;
  /** Told of each action that reached its final state, once that is durable. */
  onReceipt?: ((action: Action) => void) | undefined;
  backoff?: Backoff | undefined;
}

export interface Outbox {
  /** Takes durable, pending actions over. One that is under way or finished in this process is ignored. */
  submit(actions: readonly Action[]): void;
  /** How many actions have no final, durable state yet. */
  pending(): number;
  /** Resolves when there are none. */
  idle(): Promise<void>;
  /**
   * Takes no more, begins no attempt, and gives those under way `deadlineMs` to end. What is unfinished stays
   * pending in the store, for the next process.
   */
  close(deadlineMs: number): Promise<void>;
}

/** What an attempt led to: a receipt, or a fault that is worth another attempt. */
interface Outcome {
  state: Receipt['state'] | 'pending';
  detail: string;
  retryAfter?: number | undefined;
  /** False where the attempt was stopped before the responder was asked. */
  asked: boolean;
}

/**
 * Carries actions out: each is asked for at least once and recorded once. Attempts at one server are limited
 * in number, guarded, and repeated with growing waits while the server is away, until the token has expired.
 * An action in shadow mode is never carried out.
 */
export function createOutbox(options: OutboxOptions): Outbox {
  const { responder, log, metrics, backoff = BACKOFF } = options;
  const receipts = createReceiptBook(options);
  const lanes = new Map<string, LimitFunction>();
  const tasks = new Map<string, Promise<void>>();
  const finished = new LRUCache<string, true>({ max: REMEMBERED });
  /** Aborted when no new attempt may begin. */
  const stopping = new AbortController();
  /** Aborted when attempts under way must end. */
  const giveUp = new AbortController();

  function inLane<T>(action: Action, run: () => Promise<T>): Promise<T> {
    const { name, concurrency } = responder.laneOf(action);
    const limit = lanes.get(name) ?? pLimit(concurrency);
    lanes.set(name, limit);
    return limit(run);
  }

  /** One attempt; undefined where the outbox closes. */
  async function attempt(action: Action): Promise<Outcome | undefined> {
    if (stopping.signal.aborted) return undefined;
    const reason = action.mode === 'shadow' ? 'shadow mode' : options.guard(action);
    if (reason !== null) return { state: 'failed', detail: `not asked: ${reason}`, asked: false };
    // A signal of its own for each attempt: what hangs on one that lives as long as the process piles up.
    const controller = new AbortController();
    const abort = () => controller.abort();
    giveUp.signal.addEventListener('abort', abort);
    try {
      return { ...(await responder.execute(action, controller.signal)), asked: true };
    } catch (error) {
      if (controller.signal.aborted) return undefined;
      return outcomeOf(action, error);
    } finally {
      giveUp.signal.removeEventListener('abort', abort);
    }
  }

  function outcomeOf({ action_id }: Action, error: unknown): Outcome {
    if (!isRecallError(error)) {
      // Its message is not ours, and might quote what it was given.
      const name = error instanceof Error ? error.name : typeof error;
      const detail = `responder ${responder.kind} failed with an internal error (${name})`;
      log.error({ action_id }, detail);
      return { state: 'failed', detail, asked: true };
    }
    const detail = messageOf(error);
    if (error.disposition !== 'retry') return { state: 'failed', detail, asked: true };
    metrics.retries.inc({ stage: 'outbox' });
    return { state: 'pending', detail, retryAfter: error.retryAfter, asked: true };
  }

  async function carryOut(submitted: Action): Promise<void> {
    let action = submitted;
    for (let failures = 1; ; failures += 1) {
      const current = action;
      const outcome = await inLane(current, () => attempt(current));
      if (outcome === undefined) return;
      const { state, detail } = outcome;
      const attempts = action.attempts + (outcome.asked ? 1 : 0);
      action = { ...action, state, detail, attempts, updated_at: Date.now() };
      if (state !== 'pending') break;
      log.warn({ action_id: action.action_id, attempts }, `recall waits: ${detail}`);
      await receipts.progress(action);
      const wait = waitAfter(failures, backoff, outcome.retryAfter);
      await sleep(wait, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
    if (!(await receipts.settle(action, giveUp.signal))) return;
    finished.set(action.action_id, true);
    metrics.receipts.inc({ responder: responder.kind, state: action.state });
    if (action.state === 'failed')
      log.warn({ action_id: action.action_id }, `recall failed: ${action.detail}`);
    options.onReceipt?.(action);
  }

  function begin(action: Action): void {
    const { action_id, state } = action;
    if (state !== 'pending' || stopping.signal.aborted || tasks.has(action_id) || finished.has(action_id))
      return;
    const task = carryOut(action)
      .catch((error: unknown) => log.error({ action_id }, `recall broke off: ${messageOf(error)}`))
      .finally(() => {
        tasks.delete(action_id);
        metrics.outboxPending.set(tasks.size);
      });
    tasks.set(action_id, task);
    metrics.outboxPending.set(tasks.size);
  }

  async function idle(): Promise<void> {
    while (tasks.size > 0) await Promise.all(tasks.values());
  }

  return {
    submit: (actions) => actions.forEach(begin),
    pending: () => tasks.size,
    idle,
    async close(deadlineMs) {
      stopping.abort();
      const deadline = setTimeout(() => giveUp.abort(), deadlineMs);
      await Promise.race([idle(), aborted(giveUp.signal)]);
      clearTimeout(deadline);
    },
  };
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
