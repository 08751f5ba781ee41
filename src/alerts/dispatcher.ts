import { setTimeout as sleep } from 'node:timers/promises';
import type { Alert } from '../../schemas/alert.ts';
import { waitAfter } from '../backoff.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Deliveries } from './deliveries.ts';
import { nameSinks, type AlertSink } from './port.ts';
import { createQueue, type Queue, type QueueLimits } from './queue.ts';
import { createRecorder } from './recorder.ts';
import { createWithdrawals } from './withdrawals.ts';

export interface DispatcherOptions {
  sinks: readonly AlertSink[];
  /** Knows which sink took which alert, and gives those that it did not. */
  deliveries: Deliveries;
  log: Logger;
  metrics: Metrics;
  limits?: Partial<QueueLimits>;
}

/**
 * Hands alerts to the sinks, each at its own pace: one that is away holds up neither the others nor the caller.
 * What a sink took is written down, so that each sink gets each version once, over restarts too: at least once, and
 * twice only where the process ended, or lost the partition, between the sink's answer and the note of it.
 */
export interface AlertDispatcher {
  /**
   * Takes an alert that is durable in `alerts`, for every sink, and returns at once. A version that a sink was told
   * of, or that is older than that, is not sent; what policy only records goes to the sinks that know the alert.
   * After {@link AlertDispatcher.close} it does nothing.
   */
  submit(alert: Alert): void;
  /**
   * Sends what the sinks have not taken of a state partition that this worker took over. Resolves once ClickHouse knows
   * the sinks, which is tried until it does: what becomes durable after that is never forgotten, so no batch of the
   * partition may come before. The sending goes on behind.
   */
  resume(partition: string): Promise<void>;
  /**
   * Forgets a state partition that this worker lost. Resolves when what was under way is taken and written down, or
   * after 2 s is broken off: from then on another worker can send without repeating.
   */
  drop(partition: string): Promise<void>;
  /** Resolves when every sink has taken, or refused, all there is, and that is written down. */
  idle(): Promise<void>;
  /** Takes no more, waits for what there is until the deadline, then closes the sinks. The next start sends the rest. */
  close(deadlineMs: number): Promise<void>;
  /** By name of the sink. */
  health(): Record<string, { ok: boolean; detail: string }>;
}

const LIMITS: QueueLimits = { alerts: 10_000, page: 1000, first: 500, longest: 60_000, handOver: 2000 };
/** How long writing down what was taken may take after the deadline of a stop, ms. */
const LAST_NOTES = 1000;

/** Creates the dispatcher over `sinks`. */
export function createDispatcher(options: DispatcherOptions): AlertDispatcher {
  const { log, metrics, deliveries } = options;
  const limits = { ...LIMITS, ...options.limits };
  const recorder = createRecorder(deliveries, log, limits);
  const sinks = nameSinks(options.sinks);
  const queues = new Map<string, Queue>();
  for (const [name, sink] of sinks) {
    queues.set(name, createQueue({ name, sink, log, metrics, limits, deliveries, recorder }));
  }
  const withdrawals = createWithdrawals({ queues, deliveries, log, backoff: limits, most: limits.alerts });
  /** Partitions taken over and not lost since. */
  const partitions = new Set<string>();
  const stopping = new AbortController();
  let closing: Promise<void> | undefined;
  let registered: Promise<void> | undefined;

  /** Makes the sinks known to ClickHouse, as often as it takes. */
  async function register(): Promise<void> {
    for (let failures = 1; queues.size > 0 && !stopping.signal.aborted; failures += 1) {
      try {
        await deliveries.register([...queues.keys()]);
        return;
      } catch (error) {
        log.warn(`alert sinks are made known to ClickHouse later: ${messageOf(error)}`);
        const ms = waitAfter(failures, limits);
        await sleep(ms, undefined, { signal: stopping.signal }).catch(() => undefined);
      }
    }
  }

  const idle = async () => {
    await withdrawals.idle();
    await Promise.all([...queues.values()].map((queue) => queue.idle()));
    await recorder.idle();
  };

  async function close(deadlineMs: number): Promise<void> {
    const done = new AbortController();
    const deadline = sleep(deadlineMs, undefined, { signal: done.signal }).catch(() => undefined);
    await Promise.race([idle(), deadline]);
    done.abort();
    stopping.abort();
    withdrawals.stop();
    for (const [name, queue] of queues) {
      if (queue.stop()) log.warn(`${name}: closed with alerts unsent; the next start sends them`);
    }
    await recorder.close(LAST_NOTES);
    await Promise.all(
      [...sinks].map(([name, sink]) =>
        sink.close().catch((error: unknown) => log.warn(`${name}: ${messageOf(error)}`)),
      ),
    );
  }

  return {
    submit(alert) {
      if (closing !== undefined) return;
      if (alert.decision.action === 'record') {
        withdrawals.put(alert);
        return;
      }
      withdrawals.forget(alert.alert_id);
      for (const queue of queues.values()) queue.put(alert);
    },
    async resume(partition) {
      partitions.add(partition);
      await (registered ??= register());
      if (closing !== undefined || !partitions.has(partition)) return;
      for (const queue of queues.values()) queue.resume(partition);
    },
    async drop(partition) {
      partitions.delete(partition);
      withdrawals.drop(partition);
      await Promise.all([...queues.values()].map((queue) => queue.drop(partition)));
      const patience = new AbortController();
      const longest = sleep(limits.handOver, undefined, { signal: patience.signal }).catch(() => undefined);
      await Promise.race([recorder.idle(), longest]);
      patience.abort();
    },
    idle,
    close: (deadlineMs) => (closing ??= close(deadlineMs)),
    health: () => Object.fromEntries([...queues].map(([name, queue]) => [name, queue.health()])),
  };
}
