import { z } from 'zod';

// Its own pattern would drown the description of the API.
const datetime = z.iso.datetime({ offset: true });

/** A point in time in a query, RFC 3339; becomes epoch milliseconds. */
export const time = z
  .string()
  .max(64)
  .refine((text) => datetime.safeParse(text).success, 'expected RFC 3339')
  .meta({ format: 'date-time', examples: ['2026-03-01T09:30:00Z'] })
  .transform((text) => Date.parse(text));

/** How many rows an answer carries at most. */
export const limit = z.coerce
  .number()
  .int()
  .min(1)
  .max(500)
  .default(50)
  .describe('Most entries to answer, up to 500');

/** A text that goes into a query or a row. */
export const shortText = z.string().min(1).max(512);

/** Why somebody did something, in words. */
export const note = z.string().max(4000);

/** An id in a path. */
export const idParams = (description: string) => z.strictObject({ id: shortText.describe(description) });

/** What a JWT looks like: three base64url parts, the first a JSON object. Hashes and ids never do. */
export const looksLikeToken = (text: string) => /^eyJ[\w-]{8,}\.[\w-]+\.[\w-]*$/.test(text);
