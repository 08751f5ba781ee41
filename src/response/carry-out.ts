import { setTimeout as sleep } from 'node:timers/promises';
import type { Action } from '../../schemas/action.ts';
import { waitAfter, type Backoff } from '../backoff.ts';
import { isRecallError, messageOf } from '../errors.ts';
import { withRetry } from '../retry.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Places } from './places.ts';
import type { Receipt, Responder } from './port.ts';
import { expiredReceipt, type ReceiptBook, type Settled } from './receipts.ts';
import type { StoredAction } from './stored.ts';

/** An action in memory. */
export interface Task {
  action: Action;
  /** Whether the store is to be asked, before anybody else is, what has become of the action since it was read. */
  readonly look: boolean;
  readonly places: Places;
  /** Aborted when it is not to wait any longer: dropped, stopping, or its token has expired. */
  readonly wake: AbortController;
  /** Set when the alarm rings, for good: the clock may be put back. */
  expired: boolean;
  /** True where the action is somebody else's now: what comes of it here is not recorded. */
  dropped: boolean;
  /** Whether the server took the revocation in this process: what is missing then is the proof. */
  taken: boolean;
  /** Resolves when its progress is recorded, as far as it will be. */
  noted: Promise<void>;
}

export interface CarrierOptions {
  responder: Responder;
  receipts: ReceiptBook;
  stored: StoredAction;
  /** Why an action must not be carried out, or null. Asked right before each attempt. */
  guard(action: Action): string | null;
  log: Logger;
  metrics: Metrics;
  backoff: Backoff;
  /** Aborted when no new attempt may begin. */
  stopping: AbortSignal;
  /** Aborted when attempts under way must end. */
  giveUp: AbortSignal;
}

/** What an attempt led to: a receipt, or a fault that is worth another attempt. */
interface Outcome {
  state: Receipt['state'] | 'pending';
  detail: string;
  retryAfter?: number | undefined;
  /** Whether the revocation was sent. */
  asked: boolean;
}

/** How an action left memory: with what became of its receipt, or `left` to its next owner before there was one. */
export type Ending = Settled | 'left';

const UNPROVEN: Receipt = {
  state: 'accepted',
  detail: 'the server took the revocation; not proven: introspection stayed away until the token expired',
};

/**
 * Creates the function that carries one action through: looks at the store where it must, waits for its turn, tries,
 * waits, tries again, until there is a receipt or the token has expired, and makes that durable.
 */
export function createCarrier(options: CarrierOptions): (task: Task) => Promise<Ending> {
  const { responder, receipts, log, metrics, stopping, giveUp } = options;

  /** A verdict that needs no server. */
  function verdict({ action, expired, taken }: Task): Outcome | undefined {
    if (action.mode === 'shadow') return { state: 'failed', detail: 'not asked: shadow mode', asked: false };
    const { expires_at } = action;
    if (expires_at === undefined || !expired) return undefined;
    return { ...(taken ? UNPROVEN : expiredReceipt(expires_at)), asked: false };
  }

  /** One attempt; undefined where the task has been woken, or the process gives up. */
  async function attempt(task: Task): Promise<Outcome | undefined> {
    if (task.wake.signal.aborted) return undefined;
    const reason = task.taken ? null : options.guard(task.action);
    if (reason !== null) return { state: 'failed', detail: `not asked: ${reason}`, asked: false };
    // A signal of its own for each attempt: what hangs on one that lives as long as the process piles up.
    const controller = new AbortController();
    const abort = () => controller.abort();
    giveUp.addEventListener('abort', abort);
    let asked = false;
    try {
      const receipt = await responder.execute(task.action, {
        signal: controller.signal,
        onSeenActive(at) {
          // On its way while the revocation is: who finds the token inactive after a crash here can prove it then.
          task.action = { ...task.action, seen_active_at: at, updated_at: later(task.action) };
          note(task, { urgent: true });
        },
        onAsked: () => (asked = true),
        onTaken: () => (task.taken = true),
      });
      const proofIsGone = task.taken && !asked;
      return { ...(proofIsGone ? UNPROVEN : receipt), asked };
    } catch (error) {
      if (controller.signal.aborted) return undefined;
      return { ...faultOf(task.action, error), asked };
    } finally {
      giveUp.removeEventListener('abort', abort);
    }
  }

  function faultOf({ action_id }: Action, error: unknown): Omit<Outcome, 'asked'> {
    if (!isRecallError(error)) {
      // Its message is not ours, and might quote what it was given.
      const name = error instanceof Error ? error.name : typeof error;
      const detail = `responder ${responder.kind} failed with an internal error (${name})`;
      log.error({ action_id }, detail);
      return { state: 'failed', detail };
    }
    const detail = messageOf(error);
    if (error.disposition !== 'retry') return { state: 'failed', detail };
    metrics.retries.inc({ stage: 'outbox' });
    return { state: 'pending', detail, retryAfter: error.retryAfter };
  }

  /** Takes over what the store knows; true where that is final. */
  async function isFinal(task: Task): Promise<boolean> {
    const { action_id } = task.action;
    try {
      const known = await withRetry(() => options.stored(action_id), {
        what: `looking up action ${action_id}`,
        log,
        signal: task.wake.signal,
        onRetry: () => metrics.retries.inc({ stage: 'outbox' }),
      });
      if (known === undefined) return false;
      task.action = known;
      return known.state !== 'pending';
    } catch (error) {
      // Asking twice does no harm, a stolen token that lives on does; and the receipt looks again.
      if (!task.wake.signal.aborted) log.error({ action_id }, `not looked up: ${messageOf(error)}`);
      return false;
    }
  }

  function note(task: Task, how?: { urgent: boolean }): void {
    task.noted = receipts.progress(task.action, how);
  }

  const pause = (ms: number, { wake }: Task) =>
    sleep(ms, undefined, { signal: wake.signal }).catch(() => undefined);

  /** Attempts until the action has its final state; false where it is left before. */
  async function untilFinal(task: Task): Promise<boolean> {
    const isDropped = () => task.dropped;
    let failures = task.action.attempts;
    // The backoff goes on where the process before left it.
    if (failures > 0) {
      await pause(task.action.updated_at + waitAfter(failures, options.backoff) - Date.now(), task);
    }
    for (;;) {
      if (isDropped() || stopping.aborted) return false;
      const outcome = verdict(task) ?? (await task.places.take(() => attempt(task), task.wake.signal));
      if (outcome === undefined) continue;
      if (isDropped()) return false;
      const { state, detail, asked } = outcome;
      const { action } = task;
      const attempts = action.attempts + (asked ? 1 : 0);
      task.action = { ...action, state, detail, attempts, updated_at: later(action) };
      if (asked) metrics.responderAttempts.inc({ issuer: responder.laneOf(action).name, outcome: state });
      if (state !== 'pending') return true;
      failures += 1;
      log.warn({ action_id: action.action_id, attempts }, `recall waits: ${detail}`);
      note(task);
      await pause(waitAfter(failures, options.backoff, outcome.retryAfter), task);
    }
  }

  return async function carryOut(task) {
    if (task.look && (await isFinal(task))) return 'preceded';
    const clearAlarm = setAlarm(task);
    try {
      if (!(await untilFinal(task))) return 'left';
      return await receipts.settle(task.action, () => !task.dropped, giveUp);
    } finally {
      clearAlarm();
      await task.noted;
    }
  };
}

/** The time, and later than the record before, whatever the clock of the worker that made it: the latest counts. */
const later = ({ updated_at }: Action): number => Math.max(Date.now(), updated_at + 1);

/** Longer ones fire at once. */
const LONGEST_TIMER = 2_147_483_647;

/** Wakes the task when its token expires. Returns what takes the alarm back. */
function setAlarm(task: Task): () => void {
  const { expires_at } = task.action;
  if (expires_at === undefined) return () => undefined;
  let timer: NodeJS.Timeout;
  const arm = () => {
    const left = expires_at - Date.now();
    if (left > 0) {
      timer = setTimeout(arm, Math.min(left, LONGEST_TIMER));
      return;
    }
    task.expired = true;
    task.wake.abort();
  };
  arm();
  return () => clearTimeout(timer);
}
