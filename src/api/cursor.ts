import { z } from 'zod';
import type { AlertRow } from '../store/reads.ts';

/** Where a page ended: the event time of the alert's latest finding, and its id. */
const position = z.tuple([z.number(), z.string()]);

/** The cursor of the page that begins behind `row`. Opaque to callers. */
export function toCursor(row: Pick<AlertRow, 'updated' | 'alert_id'>): string {
  return Buffer.from(JSON.stringify([row.updated, row.alert_id])).toString('base64url');
}

/** A cursor in a query; becomes what reads take as `before`. */
export const cursor = z
  .string()
  .max(1024)
  .transform((text, ctx) => {
    try {
      const [updated, alert_id] = position.parse(JSON.parse(Buffer.from(text, 'base64url').toString()));
      return { updated, alert_id };
    } catch {
      ctx.addIssue({ code: 'custom', message: 'is no cursor that an answer gave' });
      return z.NEVER;
    }
  });
