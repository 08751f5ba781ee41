import { setImmediate as otherWork } from 'node:timers/promises';
import {
  accessEvents,
  actions,
  alerts,
  audit,
  authorizationEvents,
  custody,
  deadLetters,
  findings,
  reviews,
  type Columns,
} from './columns.ts';
import type { StoreBatch } from './port.ts';

/** The rows of a batch for one table, in the shape of one `INSERT` statement. */
export interface TableRows {
  /** Everything of the statement but the rows; rows with the same statement can share an insert. */
  readonly statement: string;
  readonly count: number;
  /** The rows as JSONCompactEachRow: an array a line, half the bytes of objects with names. */
  readonly encode: () => Promise<Uint8Array[]>;
}

const ROWS_A_CHUNK = 500;

function tableRows<T>(table: string, columns: Columns<T>, items: readonly T[] = []): TableRows {
  const cells = Object.values(columns);
  return {
    statement: `INSERT INTO ${table} (${Object.keys(columns).join(', ')}) FORMAT JSONCompactEachRow`,
    count: items.length,
    async encode() {
      const encoder = new TextEncoder();
      const chunks: Uint8Array[] = [];
      for (let start = 0; start < items.length; start += ROWS_A_CHUNK) {
        // A large batch must not keep the event loop from everything else.
        if (start > 0) await otherWork();
        const lines = items
          .slice(start, start + ROWS_A_CHUNK)
          .map((item) => JSON.stringify(cells.map((cell) => cell(item))));
        chunks.push(encoder.encode(`${lines.join('\n')}\n`));
      }
      return chunks;
    },
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
    tableRows('alert_reviews', reviews, batch.reviews),
    tableRows('audit_log', audit, batch.audit),
  ].filter(({ count }) => count > 0);
}
