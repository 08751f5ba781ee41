import { z } from 'zod';

/** A record that is no event, kept as it came with the reason. */
export const deadLetter = z.object({
  dead_letter_id: z.string().describe('A function of source, position and content'),
  received_at: z.number().describe('When it arrived, epoch milliseconds'),
  source: z.string().describe('Name of the source, such as `kafka:gateway-access`'),
  position: z.string().describe('Where in the source, such as `gateway-access/3/1042` or a line number'),
  stream: z.enum(['access', 'authorization']),
  step: z.string().describe('The step that refused it'),
  code: z.string().describe('Error code, ERR_*'),
  reason: z.string().describe('What was wrong, in words, without the value of any token'),
  size: z.number().int().describe('Original size in bytes'),
  excerpt: z.string().describe('The beginning of the record, everything that could be a token masked'),
  sealed: z
    .string()
    .describe('The original bytes, sealed as custody seals tokens; empty where no key is configured'),
});
export type DeadLetter = z.infer<typeof deadLetter>;
