import { setTimeout as sleep } from 'node:timers/promises';
import type { Alert } from '../../schemas/alert.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { AlertSink } from './port.ts';
import { createQueue, type QueueLimits } from './queue.ts';

export interface DispatcherOptions {
  sinks: readonly AlertSink[];
  log: Logger;
  metrics: Metrics;
  /** Reads an alert back from the store, so that a sink away for long costs no memory for alerts. */
  load?: (alertId: string) => Promise<Alert | null>;
  limits?: Partial<QueueLimits>;
}

/** Hands alerts to the sinks, each at its own pace: one that is away holds up neither the others nor the caller. */
export interface AlertDispatcher {
  /** Takes an alert for every sink and returns at once. After {@link AlertDispatcher.close} it does nothing. */
  submit(alert: Alert): void;
  /** Resolves when every sink has taken, or refused, all there is. */
  idle(): Promise<void>;
  /** Takes no more, waits for what there is until the deadline, then closes the sinks. */
  close(deadlineMs: number): Promise<void>;
  /** By name of the sink. */
  health(): Record<string, { ok: boolean; detail: string }>;
}

const LIMITS: QueueLimits = { alerts: 10_000, ids: 1_000_000, firstWait: 500, longestWait: 60_000 };

/** Creates the dispatcher over `sinks`; two of the same name are told apart by a number. */
export function createDispatcher(options: DispatcherOptions): AlertDispatcher {
  const { log, metrics, load } = options;
  const limits = { ...LIMITS, ...options.limits };
  const queues = new Map<string, { sink: AlertSink; queue: ReturnType<typeof createQueue> }>();
  for (const sink of options.sinks) {
    const taken = [...queues.values()].filter((other) => other.sink.name === sink.name).length;
    const name = taken === 0 ? sink.name : `${sink.name}#${String(taken + 1)}`;
    queues.set(name, { sink, queue: createQueue({ sink, log, metrics, limits, load }) });
  }
  let closing: Promise<void> | undefined;

  const idle = async () => {
    await Promise.all([...queues.values()].map(({ queue }) => queue.idle()));
  };

  async function close(deadlineMs: number): Promise<void> {
    const done = new AbortController();
    const deadline = sleep(deadlineMs, undefined, { signal: done.signal }).catch(() => undefined);
    await Promise.race([idle(), deadline]);
    done.abort();
    await Promise.all(
      [...queues].map(async ([name, { sink, queue }]) => {
        const unsent = queue.stop();
        if (unsent > 0) log.warn({ unsent }, `${name}: closed with alerts unsent; ClickHouse has them`);
        await sink.close().catch((error: unknown) => log.warn(`${name}: ${messageOf(error)}`));
      }),
    );
  }

  return {
    submit(alert) {
      if (closing !== undefined) return;
      for (const { queue } of queues.values()) queue.put(alert);
    },
    idle,
    close: (deadlineMs) => (closing ??= close(deadlineMs)),
    health: () => Object.fromEntries([...queues].map(([name, { queue }]) => [name, queue.health()])),
  };
}
