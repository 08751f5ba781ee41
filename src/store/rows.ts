import {
  accessEvents,
  actions,
  alertSinks,
  alerts,
  audit,
  authorizationEvents,
  custody,
  deadLetterOutcomes,
  deadLetters,
  deliveries,
  findings,
  reviews,
  type Columns,
} from './columns.ts';
import { encodeRows } from './encode.ts';
import type { StoreBatch } from './port.ts';

/** The rows of a batch for one table, in the shape of one `INSERT` statement. */
export interface TableRows {
  /** Everything of the statement but the rows; rows with the same statement can share an insert. */
  readonly statement: string;
  readonly count: number;
  /** The rows as JSONCompactEachRow: an array a line, half the bytes of objects with names. */
  readonly encode: () => Promise<Uint8Array[]>;
}

function tableRows<T>(table: string, columns: Columns<T>, items: readonly T[] = []): TableRows {
  return {
    statement: `INSERT INTO ${table} (${Object.keys(columns).join(', ')}) FORMAT JSONCompactEachRow`,
    count: items.length,
    encode: () => encodeRows(columns, items),
  };
}

/** The tables that a batch has rows for. */
export function rowsByTable(batch: StoreBatch): TableRows[] {
  return [
    tableRows('access_events', accessEvents, batch.access_events),
    tableRows('authorization_events', authorizationEvents, batch.authorization_events),
    tableRows('findings', findings, batch.findings),
    tableRows('alerts', alerts, batch.alerts),
    tableRows('actions', actions, batch.actions),
    tableRows('token_custody', custody, batch.custody),
    tableRows('dead_letters', deadLetters, batch.dead_letters),
    tableRows('dead_letter_outcomes', deadLetterOutcomes, batch.dead_letter_outcomes),
    tableRows('alert_sinks', alertSinks, batch.alert_sinks),
    tableRows('alert_deliveries', deliveries, batch.deliveries),
    tableRows('alert_reviews', reviews, batch.reviews),
    tableRows('audit_log', audit, batch.audit),
  ].filter(({ count }) => count > 0);
}
