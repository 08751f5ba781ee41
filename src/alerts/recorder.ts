import { setTimeout as sleep } from 'node:timers/promises';
import { waitAfter, type Backoff } from '../backoff.ts';
import { isRecallError, messageOf } from '../errors.ts';
import type { AlertDelivery } from '../store/port.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Deliveries } from './deliveries.ts';

/** Writes down what sinks took, behind the back of those who send. */
export interface Recorder {
  add(delivery: AlertDelivery): void;
  /** Deliveries not written yet. */
  pending(): number;
  /** Resolves when everything is written, or the recorder was closed. */
  idle(): Promise<void>;
  /** Waits until everything is written, or for as long as given (ms); then gives up what is not. */
  close(deadlineMs: number): Promise<void>;
}

/** Deliveries in one write. */
const MOST_AT_ONCE = 1000;

/**
 * Creates the recorder. While ClickHouse is away deliveries wait: alerts come from ClickHouse too, so there are no more
 * of them than alerts were in memory. What is not written when the process ends costs a second delivery of the same
 * alert and version, which the receiver tells by its idempotency key.
 */
export function createRecorder(
  deliveries: Pick<Deliveries, 'record'>,
  log: Logger,
  backoff: Backoff,
): Recorder {
  const waiting: AlertDelivery[] = [];
  const closed = new AbortController();
  const idlers: (() => void)[] = [];
  let running = false;

  /** Writes some, as often as it takes. */
  async function write(some: readonly AlertDelivery[]): Promise<void> {
    for (let failures = 1; !closed.signal.aborted; failures += 1) {
      try {
        await deliveries.record(some);
        return;
      } catch (error) {
        if (!isRecallError(error) || error.disposition !== 'retry') {
          log.error(`${some.length} deliveries of alerts cannot be recorded: ${messageOf(error)}`);
          return;
        }
        if (failures === 1) log.warn(`deliveries of alerts are recorded later: ${messageOf(error)}`);
        const ms = waitAfter(failures, backoff, error.retryAfter);
        await sleep(ms, undefined, { signal: closed.signal }).catch(() => undefined);
      }
    }
  }

  async function drain(): Promise<void> {
    while (waiting.length > 0 && !closed.signal.aborted) {
      const some = waiting.slice(0, MOST_AT_ONCE);
      await write(some);
      waiting.splice(0, some.length);
    }
    running = false;
    for (const resolve of idlers.splice(0)) resolve();
  }

  const idle = () =>
    running ? new Promise<void>((resolve) => void idlers.push(resolve)) : Promise.resolve();

  return {
    add(delivery) {
      waiting.push(delivery);
      if (running) return;
      running = true;
      void drain();
    },
    pending: () => waiting.length,
    idle,
    async close(deadlineMs) {
      const done = new AbortController();
      await Promise.race([
        idle(),
        sleep(deadlineMs, undefined, { signal: done.signal }).catch(() => undefined),
      ]);
      done.abort();
      closed.abort();
      for (const resolve of idlers.splice(0)) resolve();
    },
  };
}
