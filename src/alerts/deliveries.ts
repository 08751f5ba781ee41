import { alert, type Alert } from '../../schemas/alert.ts';
import type { AlertDelivery, Store } from '../store/port.ts';
import { toAlertRow, type Cells } from '../store/read-rows.ts';

/** How far a sink is with an alert. */
export interface Standing {
  /** Highest version that it took or refused; 0 where none. */
  readonly version: number;
  /** Whether it took any: then it hears of a withdrawal too. */
  readonly knows: boolean;
}

/** What ClickHouse knows of deliveries. Every function throws RecallError ERR_STORE_UNAVAILABLE or ERR_STORE_REFUSED. */
export interface Deliveries {
  /** Remembers sinks from now on, each by its first time: {@link Deliveries.undelivered} gives nothing stored before. */
  register(sinks: readonly string[]): Promise<void>;
  record(deliveries: readonly AlertDelivery[]): Promise<void>;
  /** How far sinks are with some alerts; a pair that is not among the answers has no delivery. */
  standings(alertIds: readonly string[]): Promise<({ sink: string; alert_id: string } & Standing)[]>;
  /**
   * Alerts of a state partition whose current version a registered sink neither took nor refused, those stored first
   * first. An alert that policy only records is not among them, unless the sink took an earlier version of it.
   */
  undelivered(partition: string, sink: string, limit: number): Promise<Alert[]>;
}

const STANDINGS = `
  SELECT toString(sink) AS sink, alert_id, max(version) AS version, max(outcome = 'delivered') AS knows
  FROM alert_deliveries WHERE alert_id IN {alertIds:Array(String)}
  GROUP BY sink, alert_id`;

// Ids first: findings and evidence are most of an alert, and are read of those few alone. How an alert stands with
// analysts is no part of it, but of the rows that toAlertRow reads.
const UNDELIVERED = `
  WITH settled AS
  (
    SELECT alert_id, max(version) AS version, max(outcome = 'delivered') AS knows
    FROM alert_deliveries WHERE sink = {sink:String}
    GROUP BY alert_id
  ),
  owed AS
  (
    SELECT a.alert_id AS alert_id, a.version AS version
    FROM alerts AS a FINAL
    GLOBAL LEFT JOIN settled AS s ON s.alert_id = a.alert_id
    WHERE a.partition = {partition:String}
      AND a.version > s.version
      AND (a.decision_action != 'record' OR s.knows)
      AND a.stored_at >= (SELECT min(since) FROM alert_sinks WHERE sink = {sink:String})
    ORDER BY a.stored_at, a.alert_id
    LIMIT {limit:UInt32}
  )
  SELECT *, 'open' AS status, '' AS verdict
  FROM alerts
  WHERE (alert_id, version) GLOBAL IN (SELECT alert_id, version FROM owed)
  ORDER BY stored_at, alert_id LIMIT 1 BY alert_id`;

/** Deliveries in the tables `alert_deliveries` and `alert_sinks`. */
export function createDeliveries(store: Pick<Store, 'write' | 'query'>): Deliveries {
  return {
    register: (sinks) => store.write({ alert_sinks: sinks.map((sink) => ({ sink })) }),
    record: (deliveries) => store.write({ deliveries }),
    async standings(alertIds) {
      const rows = await store.query<{ sink: string; alert_id: string; version: number; knows: number }>(
        STANDINGS,
        { alertIds },
      );
      return rows.map((row) => ({ ...row, knows: row.knows > 0 }));
    },
    async undelivered(partition, sink, limit) {
      const rows = await store.query<Cells>(UNDELIVERED, { partition, sink, limit });
      return rows.map((cells) => alert.parse(toAlertRow(cells)));
    },
  };
}
