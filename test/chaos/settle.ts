import { setTimeout as delay } from 'node:timers/promises';
import { totalOf, type LagMeter } from './lag.ts';
import type { StoreProcess } from './store.ts';

/** Given up when nothing moves for this long, milliseconds: longer than any session timeout and any wait of a retry. */
const STUCK_AFTER = 90_000;
const POLL = 500;

/**
 * Waits until every record is committed by every group, and no action is pending.
 *
 * @throws Error telling what is left, where nothing moves any more
 */
export async function settled(meter: LagMeter, { client }: StoreProcess): Promise<void> {
  async function rest() {
    const lag = await meter.lag();
    const [row] = await client.query<{ pending: number }>(
      `SELECT count() AS pending FROM actions FINAL WHERE mode = 'enforce' AND state = 'pending'`,
    );
    return { lag, pending: row?.pending ?? 0 };
  }
  let left = '';
  let moved = Date.now();
  // Twice in a row: what one group commits, another may still have to read.
  for (let quiet = 0; quiet < 2;) {
    const now = await rest();
    const text = JSON.stringify(now);
    if (text !== left) moved = Date.now();
    left = text;
    const done = now.pending === 0 && totalOf(now.lag) === 0;
    quiet = done ? quiet + 1 : 0;
    if (!done && Date.now() - moved > STUCK_AFTER) {
      throw new Error(`nothing moves for ${STUCK_AFTER / 1000} s; left: ${text}`);
    }
    await delay(POLL);
  }
}

/** How often it is looked how far the workers are. */
const LOOK = 500;

/**
 * Holds the feeding back where the workers are more than `most` records behind: what is done to them is to meet them at
 * work. While the broker is away nothing is known, and the feeding waits for it anyway.
 */
export function createBrake(meter: LagMeter, most: number): () => Promise<void> {
  let looked = 0;
  let behind = 0;
  return async () => {
    for (;;) {
      if (Date.now() - looked >= LOOK) {
        behind = await meter.lag().then(totalOf, () => behind);
        looked = Date.now();
      }
      if (behind <= most) return;
      await delay(LOOK);
    }
  };
}
