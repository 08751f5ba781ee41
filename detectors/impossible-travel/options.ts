import { z } from 'zod';
import { duration } from '../../schemas/values.ts';

/** Options of impossible travel. Distances in km, speeds in km/h. */
export const options = z.strictObject({
  max_speed: z
    .number()
    .positive()
    .default(1000)
    .describe('Fastest a person can travel, km/h: a scheduled flight, door to door'),
  min_distance: z
    .number()
    .min(0)
    .default(300)
    .describe('Shortest distance between two countries that counts, km, after both accuracy radii'),
  min_distance_domestic: z
    .number()
    .min(0)
    .default(1000)
    .describe(
      'Shortest distance within one country that counts, km, after both radii: databases often err by less',
    ),
  default_radius: z
    .number()
    .min(0)
    .default(100)
    .describe('Accuracy radius where the database gives none, km'),
  mobile_radius: z
    .number()
    .min(0)
    .default(500)
    .describe('Least accuracy radius of mobile carrier addresses, km: they are placed where the carrier is'),
  familiar_after: duration
    .prefault('1d')
    .describe('How long ago a subject must first have been seen at a place for the place to be its own'),
  shared_egress_subjects: z
    .number()
    .int()
    .min(1)
    .default(3)
    .describe(
      "Other subjects of the client behind a network's exit from which it says nothing of where anybody is",
    ),
  retention: duration.prefault('30d').describe('How long a subject is remembered after its last use'),
});
export type Options = z.infer<typeof options>;
