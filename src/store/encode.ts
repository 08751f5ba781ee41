import { setImmediate as otherWork } from 'node:timers/promises';
import type { Columns } from './columns.ts';

const ROWS_A_CHUNK = 500;

/**
 * Rows as JSONCompactEachRow, an array a line: half the bytes of objects with names. In chunks, between which the event
 * loop gets to do something else.
 */
export async function encodeRows<T>(columns: Columns<T>, items: readonly T[]): Promise<Uint8Array[]> {
  const cells = Object.values(columns);
  const encoder = new TextEncoder();
  const chunks: Uint8Array[] = [];
  for (let start = 0; start < items.length; start += ROWS_A_CHUNK) {
    if (start > 0) await otherWork();
    const lines = items
      .slice(start, start + ROWS_A_CHUNK)
      .map((item) => JSON.stringify(cells.map((cell) => cell(item))));
    chunks.push(encoder.encode(`${lines.join('\n')}\n`));
  }
  return chunks;
}
