import { setTimeout as sleep } from 'node:timers/promises';
import type { Alert } from '../../schemas/alert.ts';
import { waitAfter } from '../backoff.ts';
import { isRecallError, messageOf } from '../errors.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { AlertSink } from './port.ts';

export interface QueueLimits {
  /** Alerts held in memory. Past it only ids are held, and the alert is read back when its turn comes. */
  alerts: number;
  /** Ids held. Past it the oldest goes undelivered, counted; it still stands in ClickHouse. */
  ids: number;
  /** Bound of the first wait between attempts, ms; doubles up to `longestWait`. */
  firstWait: number;
  longestWait: number;
}

export interface QueueOptions {
  sink: AlertSink;
  log: Logger;
  metrics: Metrics;
  limits: QueueLimits;
  /** Reads an alert back from the store; null where it is not there. */
  load?: ((alertId: string) => Promise<Alert | null>) | undefined;
}

/** What waits under one id; the alert is null where only the id is held. Each version is an entry of its own. */
interface Entry {
  readonly alert: Alert | null;
}

/**
 * The alerts that one sink has yet to take, oldest first. One is sent at a time; a newer version of an alert takes
 * the place of the unsent one. A sink that is away is asked again for ever, with exponential backoff and full
 * jitter; what a sink refuses is logged, counted and passed over.
 */
export function createQueue({ sink, log, metrics, limits, load }: QueueOptions) {
  /** By id, in order of sending. */
  const waiting = new Map<string, Entry>();
  const stop = new AbortController();
  const stopped = () => stop.signal.aborted;
  const idlers: (() => void)[] = [];
  let running = false;
  let held = 0;
  let lost = 0;
  let failure: string | undefined;

  const count = (outcome: 'delivered' | 'refused' | 'lost') =>
    metrics.alertsSent.inc({ sink: sink.name, outcome });

  /** Puts an entry in the place of the id's older one, or at the end. */
  function set(id: string, entry: Entry): void {
    if (waiting.get(id)?.alert) held -= 1;
    if (entry.alert) held += 1;
    waiting.set(id, entry);
  }

  function remove(id: string): void {
    if (waiting.get(id)?.alert) held -= 1;
    waiting.delete(id);
  }

  function lose(): void {
    lost += 1;
    count('lost');
    if (lost === 1) log.error(`${sink.name}: alerts go undelivered; ClickHouse has them`);
  }

  function put(alert: Alert): void {
    const id = alert.alert_id;
    const fits = load === undefined || held < limits.alerts || waiting.get(id)?.alert;
    set(id, { alert: fits ? alert : null });
    const most = load === undefined ? limits.alerts : limits.ids;
    for (const oldest of waiting.keys()) {
      if (waiting.size <= most) break;
      remove(oldest);
      lose();
    }
    if (!running && !stopped()) {
      running = true;
      void drain();
    }
  }

  /** Settles what was sent or refused, unless a newer version came in meanwhile: that one goes to the end. */
  function settle(id: string, entry: Entry): void {
    const now = waiting.get(id);
    if (now === undefined) return;
    remove(id);
    if (now !== entry) set(id, now);
  }

  async function send(id: string, entry: Entry): Promise<void> {
    const alert = entry.alert ?? (await load?.(id)) ?? null;
    if (alert === null) {
      lose();
      return;
    }
    await sink.send(alert, stop.signal);
    count('delivered');
  }

  async function wait(error: { retryAfter: number | undefined }, failures: number): Promise<void> {
    const backoff = { first: limits.firstWait, longest: limits.longestWait };
    const ms = waitAfter(failures + 1, backoff, error.retryAfter);
    await sleep(ms, undefined, { signal: stop.signal }).catch(() => undefined);
  }

  /** Sends the newest version of one alert, as often as it takes. */
  async function deliver(id: string): Promise<void> {
    for (let failures = 0; !stopped(); failures += 1) {
      const entry = waiting.get(id);
      if (entry === undefined) return;
      try {
        await send(id, entry);
        if (failure !== undefined) log.info({ waiting: waiting.size }, `${sink.name} takes alerts again`);
        failure = undefined;
        settle(id, entry);
        return;
      } catch (error) {
        if (stopped()) return;
        failure = messageOf(error);
        if (isRecallError(error) && error.disposition === 'retry') {
          if (failures === 0) log.warn({ waiting: waiting.size }, `${failure}; alerts wait`);
          metrics.retries.inc({ stage: `alerts:${sink.name}` });
          await wait(error, failures);
        } else {
          log.error({ alert_id: id }, `${sink.name}: not delivered: ${failure}`);
          count('refused');
          settle(id, entry);
          return;
        }
      }
    }
  }

  async function drain(): Promise<void> {
    const first = () => waiting.keys().next().value;
    for (let id = first(); id !== undefined && !stopped(); id = first()) await deliver(id);
    running = false;
    for (const resolve of idlers.splice(0)) resolve();
  }

  return {
    put,
    /** Resolves when nothing waits, or the queue was stopped. */
    idle: () => (running ? new Promise<void>((resolve) => idlers.push(resolve)) : Promise.resolve()),
    /** Sends nothing more and breaks off what is under way. Gives how many alerts stay unsent. */
    stop(): number {
      stop.abort();
      return waiting.size;
    },
    health(): { ok: boolean; detail: string } {
      const parts = [
        ...(failure === undefined ? [] : [failure]),
        `${String(waiting.size)} waiting`,
        ...(lost === 0 ? [] : [`${String(lost)} undelivered since start (GET /v1/alerts has them)`]),
      ];
      return { ok: failure === undefined && lost === 0, detail: parts.join('; ') };
    },
  };
}
