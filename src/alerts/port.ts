import { hash } from 'node:crypto';
import type { Alert } from '../../schemas/alert.ts';

/** Where alerts go besides ClickHouse. */
export interface AlertSink {
  /** For people, such as `webhook:soc.example.com`. */
  readonly name: string;
  /** All that tells this sink from another of the same name. May hold secrets: never shown. */
  readonly address: string;
  /**
   * Delivers one alert, anew whenever it has grown; receivers tell versions apart by `alert_id` and `updated`.
   *
   * @throws RecallError ERR_SINK_UNAVAILABLE (retry) or ERR_SINK_REFUSED
   */
  send(alert: Alert, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/**
 * Sinks by the name under which deliveries are kept, which must be the same after a restart, in whatever order they
 * are configured: their own, and where several have the same, with a digest of the address behind it.
 */
export function nameSinks(sinks: readonly AlertSink[]): Map<string, AlertSink> {
  const named = new Map<string, AlertSink>();
  for (const sink of sinks) {
    const alone = sinks.filter(({ name }) => name === sink.name).length === 1;
    const name = alone ? sink.name : `${sink.name}#${hash('sha256', sink.address, 'hex').slice(0, 8)}`;
    let free = name;
    // The very same sink twice: it gets every alert twice.
    for (let copy = 2; named.has(free); copy += 1) free = `${name}#${String(copy)}`;
    named.set(free, sink);
  }
  return named;
}
