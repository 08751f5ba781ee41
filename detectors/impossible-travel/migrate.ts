import { z } from 'zod';
import { tokenOf } from '../../src/detection/use.ts';
import { earlierOrigin, earlierStanding, earlierUse, eventOf } from '../earlier-shapes.ts';
import { initial, recordUse, type State } from './sightings.ts';

/** Version 1: every use and claim with all its names, contexts with their networks and devices. */
const version1 = z.object({
  contexts: z.array(
    earlierOrigin.extend({
      id: z.number(),
      place: z
        .object({ latitude: z.number(), longitude: z.number(), accuracy_km: z.number().optional() })
        .optional(),
      first: z.number(),
      firstId: z.string(),
      last: z.number(),
      standing: z.array(earlierStanding),
    }),
  ),
  sightings: z.array(z.object({ context: z.number(), first: earlierUse, last: earlierUse })),
  far: z.boolean(),
});

/** Makes a state of one of version 1, by taking up again the uses it kept. */
export function migrate(before: unknown, from: number): State | undefined {
  const parsed = from === 1 ? version1.safeParse(before) : undefined;
  if (parsed?.success !== true) return undefined;
  const { contexts, sightings, far } = parsed.data;
  const state = initial();
  for (const { id, place, first, firstId, last, standing, ...origin } of contexts) {
    const uses = sightings.filter(({ context }) => context === id).flatMap((one) => [one.first, one.last]);
    const [use = { event_id: firstId, time: first, ip: origin.network.ip }] = uses;
    const known = state.contexts.length;
    for (const one of [use, ...uses.slice(1)]) {
      const event = eventOf(one, origin);
      Object.assign(event.enrichment, place);
      // Nothing counts as settled: the order in which the uses come here says nothing.
      recordUse(state, event, Infinity, Infinity);
    }
    const context = state.contexts[known];
    if (context === undefined) continue;
    Object.assign(context, { first, firstId, last });
    if (uses.length === 0) state.sightings = state.sightings.filter((one) => one.context !== context.number);
    context.standing = standing.map(({ kind, confidence, suspect }) => {
      const { event_id, time } = suspect;
      return { kind, confidence, event_id, time, token: tokenOf(state.shared, suspect).number };
    });
  }
  state.far = far;
  return state;
}
