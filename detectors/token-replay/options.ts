import { z } from 'zod';
import { duration } from '../../schemas/values.ts';

/** Options of token replay. */
export const options = z.strictObject({
  own_after: duration
    .prefault('1d')
    .describe(
      'How long ago a subject must have opened a session with a device on a network for that pair to be its own in other sessions',
    ),
  shared_relay_subjects: z
    .number()
    .int()
    .min(1)
    .default(3)
    .describe(
      "Other subjects of the client that the same program on the same hosting network calls for: from here on it is a backend that forwards its users' tokens",
    ),
  shared_relay_share: z
    .number()
    .min(0)
    .max(1)
    .default(0.1)
    .describe(
      'Share of the subjects of the client it must call for besides: a thief of many tokens has few of all',
    ),
  retention: duration.prefault('30d').describe('How long a subject is remembered after its last use'),
});
export type Options = z.infer<typeof options>;
