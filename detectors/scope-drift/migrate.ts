import { z } from 'zod';
import { routeFeature, scopeFeature } from '../../src/detection/features.ts';
import { tokenOf, useOf, type Use } from '../../src/detection/use.ts';
import { earlierOrigin, earlierStanding, earlierUse, eventOf } from '../earlier-shapes.ts';
import { numberOfScopes } from './scopes.ts';
import { initial, type State } from './state.ts';
import { matchIssuance } from './tokens.ts';

const text = z.string().optional();
const scopes = z.array(z.string());
const use = earlierUse.extend({ origin: earlierOrigin });
const times = z.record(z.string(), z.number());
const first = z.number().nullable();
const given = z.object({
  time: z.number(),
  event_id: z.string(),
  jti: text,
  token_hash: text,
  scope: scopes,
});

/** Version 1: every use and claim with all its names, scopes and operations apart. */
const version1 = z.object({
  granted: times,
  grantsSince: first,
  blindSince: first,
  consents: z.array(given),
  issued: z.array(given),
  tokens: z.array(
    z.object({ scope: scopes, issued_at: z.number().optional(), first: use, settled: use.optional() }),
  ),
  scopes: times,
  operations: times,
  firstWrite: first,
  novelties: z.array(z.object({ use, machine: z.boolean(), scopes, operations: scopes })),
  early: z.array(z.number()),
  days: z.array(z.number()),
  violations: z.array(z.object({ use, required: scopes, operation: z.string() })),
  latest: z.number(),
  standing: z.array(earlierStanding),
});

function named(entries: Record<string, number>, nameOf: (one: string) => string): Record<string, number> {
  return Object.fromEntries(Object.entries(entries).map(([one, time]) => [nameOf(one), time]));
}

/** Makes a state of one of version 1. */
export function migrate(before: unknown, from: number): State | undefined {
  const parsed = from === 1 ? version1.safeParse(before) : undefined;
  if (parsed?.success !== true) return undefined;
  const old = parsed.data;
  const state = initial();
  const { shared } = state;
  const kept = ({ origin, ...fields }: z.infer<typeof use>): Use => useOf(shared, eventOf(fields, origin));
  const { grantsSince, blindSince, firstWrite, early, days, latest } = old;
  Object.assign(state, { grantsSince, blindSince, firstWrite, early, days, latest });
  state.granted.times = named(old.granted, scopeFeature);
  state.baseline.times = { ...named(old.scopes, scopeFeature), ...named(old.operations, routeFeature) };
  const issuances = (list: z.infer<typeof given>[]) =>
    list.map((one) => ({ ...one, scope: numberOfScopes(state, one.scope) }));
  state.consents = issuances(old.consents);
  state.issued = issuances(old.issued);
  state.tokens = old.tokens.map((token) => ({
    first: kept(token.first),
    scope: numberOfScopes(state, token.scope),
    issued_at: token.issued_at,
    settled: token.settled?.time,
    last: Math.max(token.first.time, token.settled?.time ?? 0),
  }));
  matchIssuance(state);
  state.novelties = old.novelties.map((one) => ({
    ...one,
    use: kept(one.use),
    hidden: one.use.origin.network.class === 'anonymizer',
  }));
  state.violations = old.violations.map((one) => ({ ...one, use: kept(one.use), last: one.use.time }));
  state.standing = old.standing.map(({ kind, confidence, suspect }) => {
    const { event_id, time } = suspect;
    return { kind, confidence, event_id, time, token: tokenOf(shared, suspect).number };
  });
  return state;
}
