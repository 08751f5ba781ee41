import { setTimeout as sleep } from 'node:timers/promises';
import type { Alert } from '../../schemas/alert.ts';
import { waitAfter, type Backoff } from '../backoff.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Deliveries } from './deliveries.ts';
import { partitionOf, type Queue } from './queue.ts';

/** Ids in one question: they travel in the address of the request, which proxies let be about 8 kB long. */
const MOST_AT_ONCE = 100;

export interface WithdrawalsOptions {
  /** By the name that sinks have in ClickHouse. */
  queues: ReadonlyMap<string, Queue>;
  deliveries: Pick<Deliveries, 'standings'>;
  log: Logger;
  backoff: Backoff;
  /** Alerts held until it is known who is to hear of them. */
  most: number;
}

/**
 * Alerts that policy only records: the sinks that took an earlier version hear of the withdrawal, the others never
 * hear of the alert. Which is which, memory knows of alerts since the start, and ClickHouse of those before.
 */
export function createWithdrawals({ queues, deliveries, log, backoff, most }: WithdrawalsOptions) {
  const doubtful = new Map<string, Alert>();
  const closed = new AbortController();
  const idlers: (() => void)[] = [];
  let running = false;

  /** Hands the alert to the sinks that know it; says whether that is clear of all of them. */
  function settle(alert: Alert): boolean {
    let clear = true;
    for (const queue of queues.values()) {
      const knows = queue.knows(alert.alert_id);
      if (knows === true) queue.put(alert);
      else if (knows === false) queue.forget(alert.alert_id);
      else clear = false;
    }
    return clear;
  }

  async function askAbout(alerts: readonly Alert[]): Promise<void> {
    const rows = await deliveries.standings(alerts.map(({ alert_id }) => alert_id));
    const known = new Map(rows.map((row) => [JSON.stringify([row.sink, row.alert_id]), row]));
    for (const { alert_id } of alerts) {
      for (const [name, queue] of queues) {
        queue.learn(alert_id, known.get(JSON.stringify([name, alert_id])) ?? { version: 0, knows: false });
      }
      // The newest: another may have come in while the question was asked.
      const newest = doubtful.get(alert_id);
      doubtful.delete(alert_id);
      if (newest !== undefined) settle(newest);
    }
  }

  async function drain(): Promise<void> {
    for (let failures = 0; doubtful.size > 0 && !closed.signal.aborted;) {
      try {
        await askAbout([...doubtful.values()].slice(0, MOST_AT_ONCE));
        failures = 0;
      } catch (error) {
        failures += 1;
        if (failures === 1)
          log.warn(`who is to hear of a withdrawn alert is asked later: ${messageOf(error)}`);
        const ms = waitAfter(failures, backoff);
        await sleep(ms, undefined, { signal: closed.signal }).catch(() => undefined);
      }
    }
    running = false;
    for (const resolve of idlers.splice(0)) resolve();
  }

  return {
    /** Takes a version that is only recorded. */
    put(alert: Alert): void {
      if (settle(alert)) return;
      if (doubtful.size >= most && !doubtful.has(alert.alert_id)) {
        for (const queue of queues.values()) queue.resume(partitionOf(alert));
        return;
      }
      doubtful.set(alert.alert_id, alert);
      if (running) return;
      running = true;
      void drain();
    },
    /** A newer version is to be told: nothing is in doubt any more. */
    forget: (id: string) => doubtful.delete(id),
    drop(partition: string): void {
      for (const [id, alert] of doubtful) if (partitionOf(alert) === partition) doubtful.delete(id);
    },
    idle: () => (running ? new Promise<void>((resolve) => void idlers.push(resolve)) : Promise.resolve()),
    stop(): void {
      closed.abort();
    },
  };
}
