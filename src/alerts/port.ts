import type { Alert } from '../../schemas/alert.ts';

/** Where alerts go besides ClickHouse. */
export interface AlertSink {
  readonly name: string;
  /**
   * Delivers one alert, anew whenever it has grown; receivers tell versions apart by `alert_id` and `updated`.
   *
   * @throws RecallError ERR_SINK_UNAVAILABLE (retry) or ERR_SINK_REFUSED
   */
  send(alert: Alert, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
