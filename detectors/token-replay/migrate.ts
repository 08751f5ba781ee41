import { z } from 'zod';
import { tokenOf } from '../../src/detection/use.ts';
import { earlierOrigin, earlierStanding, earlierUse, eventOf } from '../earlier-shapes.ts';
import { retire } from './openers.ts';
import { initial, recordUse, type State } from './sessions.ts';

/** Version 2: every use and claim with all its names, sessions with the networks and devices of their contexts. */
const version2 = z.object({
  sessions: z.array(
    z.object({
      contexts: z.array(
        earlierOrigin.extend({ first: earlierUse, last: earlierUse, further: z.array(earlierUse) }),
      ),
      standing: z.array(earlierStanding),
      gone: z.number(),
    }),
  ),
  retired: z.array(earlierOrigin.extend({ time: z.number() })),
  networks: z.record(z.string(), z.number()),
});

/** Makes a state of one of version 2, by taking up again the uses it kept. */
export function migrate(before: unknown, from: number): State | undefined {
  const parsed = from === 2 ? version2.safeParse(before) : undefined;
  if (parsed?.success !== true) return undefined;
  const { sessions, retired, networks } = parsed.data;
  const state = initial();
  for (const { contexts, standing, gone } of sessions) {
    for (const context of contexts) {
      for (const use of [context.first, ...context.further, context.last]) {
        // Nothing counts as settled: the order in which the uses come here says nothing.
        recordUse(state, eventOf(use, context), Infinity);
      }
    }
    const opening = contexts[0]?.first.event_id;
    const session = state.sessions.find((one) =>
      one.contexts.some(({ first }) => first.event_id === opening),
    );
    if (session === undefined) continue;
    session.gone = gone;
    session.standing = standing.map(({ kind, confidence, suspect }) => {
      const { event_id, time } = suspect;
      return { kind, confidence, event_id, time, token: tokenOf(state.shared, suspect).number };
    });
  }
  for (const { network, device, time } of retired) {
    const { ip, asn, city } = network;
    const { family, os } = device;
    state.openers = retire(state.openers, { ip, asn, city, family, os, time, last: time });
  }
  state.networks = networks;
  return state;
}
