import { setTimeout as sleep } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import type { Alert } from '../../schemas/alert.ts';
import { waitAfter, type Backoff } from '../backoff.ts';
import { isRecallError, messageOf } from '../errors.ts';
import type { AlertDelivery } from '../store/port.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Deliveries, Standing } from './deliveries.ts';
import type { AlertSink } from './port.ts';
import type { Recorder } from './recorder.ts';

export interface QueueLimits extends Backoff {
  /** Alerts held in memory. Past it they stay in ClickHouse, and are read back as the sink takes the others. */
  alerts: number;
  /** Alerts read back at once. */
  page: number;
  /** How long what is under way may take once its partition is let go of, ms. */
  handOver: number;
}

export interface QueueOptions {
  /** Name of the sink in ClickHouse. */
  name: string;
  sink: AlertSink;
  log: Logger;
  metrics: Metrics;
  limits: QueueLimits;
  deliveries: Pick<Deliveries, 'undelivered'>;
  recorder: Recorder;
}

/** Alerts whose standing at the sink is remembered. */
const REMEMBERED = 100_000;

/** The state partition an alert belongs to; empty where it was raised before there were any. */
export const partitionOf = (alert: Alert): string => alert.partition ?? '';

/**
 * The alerts that one sink has yet to take, oldest first. One is sent at a time; a newer version of an alert takes
 * the place of the unsent one, and an older one is never sent after it. A sink that is away is asked again for ever,
 * with exponential backoff and full jitter; what a sink refuses is logged, counted and passed over.
 *
 * Every alert is in ClickHouse before it comes here. So a partition with more of them than memory is to hold is merely
 * marked as behind, and so is one that was just taken over: what the sink has not taken is read back once all else is
 * sent.
 */
export function createQueue({ name, sink, log, metrics, limits, deliveries, recorder }: QueueOptions) {
  /** By id, in order of sending. */
  const waiting = new Map<string, Alert>();
  /** Partitions with alerts that only ClickHouse holds. The value tells one mark from a later one. */
  const behind = new Map<string, object>();
  const standings = new LRUCache<string, Standing>({ max: REMEMBERED });
  const stop = new AbortController();
  const stopped = () => stop.signal.aborted;
  const idlers: (() => void)[] = [];
  let running = false;
  let sending: { alert: Alert; abort: AbortController; ended: Promise<void> } | undefined;
  /** Partition that is being read back. */
  let reading: string | undefined;
  let failure: string | undefined;
  let roused: (() => void) | undefined;

  /** Resolves when an alert comes in. */
  const arrival = () => new Promise<void>((resolve) => (roused = resolve));

  function wake(): void {
    roused?.();
    if (running || stopped()) return;
    running = true;
    void drain();
  }

  function put(alert: Alert): void {
    const { alert_id: id, version } = alert;
    const known = Math.max(
      standings.get(id)?.version ?? 0,
      waiting.get(id)?.version ?? 0,
      sending?.alert.alert_id === id ? sending.alert.version : 0,
    );
    if (version <= known) return;
    const partition = partitionOf(alert);
    if (!waiting.has(id)) {
      // It will be among what is read back, unless that question is being asked already.
      if (behind.has(partition) && reading !== partition) return;
      if (waiting.size >= limits.alerts) {
        behind.set(partition, {});
        return;
      }
    }
    waiting.set(id, alert);
    wake();
  }

  /** Settles what was taken or refused. A newer version that came in meanwhile goes to the end. */
  function settle(alert: Alert, outcome: AlertDelivery['outcome']): void {
    const { alert_id, version } = alert;
    const knows = outcome === 'delivered' || standings.get(alert_id)?.knows === true;
    standings.set(alert_id, { version, knows });
    metrics.alertsSent.inc({ sink: name, outcome });
    recorder.add({ sink: name, alert_id, version, outcome, at: Date.now() });
    const now = waiting.get(alert_id);
    if (now === undefined) return;
    waiting.delete(alert_id);
    if (now.version > version) waiting.set(alert_id, now);
  }

  async function send(alert: Alert): Promise<void> {
    const abort = new AbortController();
    const sent = sink.send(alert, AbortSignal.any([stop.signal, abort.signal]));
    const ended = sent.then(
      () => undefined,
      () => undefined,
    );
    sending = { alert, abort, ended };
    try {
      await sent;
    } finally {
      sending = undefined;
    }
  }

  /** Waits after failures, or until something else is to be done. */
  async function pause(error: unknown, failures: number, until?: Promise<void>): Promise<void> {
    metrics.retries.inc({ stage: `alerts:${name}` });
    const ms = waitAfter(failures, limits, isRecallError(error) ? error.retryAfter : undefined);
    const over = new AbortController();
    const signal = AbortSignal.any([stop.signal, over.signal]);
    const slept = sleep(ms, undefined, { signal }).catch(() => undefined);
    await Promise.race([slept, until ?? slept]);
    over.abort();
  }

  /** Sends the newest version of one alert, as often as it takes. */
  async function deliver(id: string): Promise<void> {
    for (let failures = 1; !stopped(); failures += 1) {
      // Deliveries that cannot be written down must not pile up either.
      if (recorder.pending() >= limits.alerts) await recorder.idle();
      const alert = waiting.get(id);
      if (alert === undefined) return;
      try {
        await send(alert);
        if (failure !== undefined) log.info({ waiting: waiting.size }, `${name} takes alerts again`);
        failure = undefined;
        settle(alert, 'delivered');
        return;
      } catch (error) {
        // Stopped, or broken off because the alert is another worker's now.
        if (stopped() || !waiting.has(id)) return;
        failure = messageOf(error);
        if (isRecallError(error) && error.disposition === 'retry') {
          if (failures === 1) log.warn({ waiting: waiting.size }, `${failure}; alerts wait`);
          await pause(error, failures);
        } else {
          log.error({ alert_id: id }, `${name}: not delivered: ${failure}`);
          settle(alert, 'refused');
          return;
        }
      }
    }
  }

  /**
   * Reads back some of what the sink has not taken of a partition. Called while nothing waits; what comes in meanwhile
   * goes first, as ClickHouse may be away for long.
   */
  async function readBack(partition: string, mark: object): Promise<void> {
    // Or what was taken just now would come back.
    await Promise.race([recorder.idle(), arrival()]);
    if (waiting.size > 0 || stopped()) return;
    reading = partition;
    let page: Alert[];
    try {
      page = await deliveries.undelivered(partition, name, limits.page);
    } finally {
      reading = undefined;
    }
    // Let go of meanwhile, or marked anew: then what came in while it was read is not all held.
    if (behind.get(partition) !== mark) return;
    behind.delete(partition);
    const newer = [...waiting.values()];
    waiting.clear();
    for (const alert of page) put(alert);
    // Last again where there is more; a page with nothing new would be read for ever.
    if (page.length === limits.page && waiting.size > 0) behind.set(partition, mark);
    for (const alert of newer) put(alert);
  }

  async function drain(): Promise<void> {
    for (let failures = 0; !stopped();) {
      const id = waiting.keys().next().value;
      if (id !== undefined) {
        await deliver(id);
        continue;
      }
      const next = behind.entries().next().value;
      if (next === undefined) break;
      try {
        await readBack(...next);
        failures = 0;
      } catch (error) {
        failures += 1;
        if (failures === 1) log.warn(`${name}: alerts cannot be read back now: ${messageOf(error)}`);
        await pause(error, failures, arrival());
      }
    }
    running = false;
    for (const resolve of idlers.splice(0)) resolve();
  }

  return {
    put,
    /** Whether the sink took a version of the alert, or is being sent one; undefined where that is not remembered. */
    knows: (id: string): boolean | undefined =>
      sending?.alert.alert_id === id ? true : standings.get(id)?.knows,
    /** Takes over what ClickHouse knows; what was settled since counts more. */
    learn(id: string, standing: Standing): void {
      if (!standings.has(id)) standings.set(id, standing);
    },
    /** Drops an unsent alert, of which policy makes no more than a record before the sink heard of it. */
    forget: (id: string) => waiting.delete(id),
    /** Sends, after what waits, all of a partition that the sink has not taken. */
    resume(partition: string): void {
      behind.set(partition, {});
      wake();
    },
    /** Drops what waits of a partition; resolves when nothing of it is under way any more. */
    async drop(partition: string): Promise<void> {
      behind.delete(partition);
      for (const [id, alert] of waiting) if (partitionOf(alert) === partition) waiting.delete(id);
      if (sending === undefined || partitionOf(sending.alert) !== partition) return;
      const { abort, ended } = sending;
      const done = new AbortController();
      const patience = sleep(limits.handOver, undefined, { signal: done.signal }).catch(() => undefined);
      await Promise.race([ended, patience]);
      done.abort();
      abort.abort();
    },
    /** Resolves when nothing waits, or the queue was stopped. */
    idle: () => (running ? new Promise<void>((resolve) => void idlers.push(resolve)) : Promise.resolve()),
    /** Sends nothing more and breaks off what is under way. Says whether alerts stay unsent. */
    stop(): boolean {
      stop.abort();
      return waiting.size > 0 || behind.size > 0;
    },
    health(): { ok: boolean; detail: string } {
      const parts = [
        ...(failure === undefined ? [] : [failure]),
        `${String(waiting.size)} waiting${behind.size > 0 ? ', and more in ClickHouse' : ''}`,
      ];
      return { ok: failure === undefined, detail: parts.join('; ') };
    },
  };
}

export type Queue = ReturnType<typeof createQueue>;
