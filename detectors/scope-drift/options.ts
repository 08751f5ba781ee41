import { z } from 'zod';
import { duration } from '../../schemas/values.ts';

/** Most events whose times a grant's state keeps for the learning period. */
export const MAX_LEARNING_EVENTS = 32;

const patterns = (...defaults: string[]) => z.array(z.string().min(1)).default(defaults);

/** Options of scope drift. In patterns `*` stands for any text; case does not matter. */
export const options = z.strictObject({
  routes: z
    .array(
      z.strictObject({
        method: z.string().optional().describe('HTTP method; absent: any'),
        route: z.string().min(1).describe('Route template; `*` stands for any text'),
        scopes: z.array(z.string().min(1)).min(1).describe('Scopes any one of which the route requires'),
      }),
    )
    .default([])
    .describe('What your routes require, for the claim `violation`; the first match counts'),
  learning_events: z
    .number()
    .int()
    .min(1)
    .max(MAX_LEARNING_EVENTS)
    .default(20)
    .describe('Uses of a grant before anything about it is drift'),
  learning_days: z
    .number()
    .int()
    .min(0)
    .max(7)
    .default(3)
    .describe('Earlier days on which a grant must have been used before anything about it is drift'),
  window: duration.prefault('1h').describe('Time within which new scopes and routes count together'),
  sensitive_scopes: patterns(
    '*admin*',
    '*delete*',
    '*export*',
    '*write*',
    '*manage*',
    '*impersonat*',
    '*secret*',
    '*:all',
    '*.all',
  ).describe('Scopes whose first use matters'),
  privileged_scopes: patterns('*admin*', '*impersonat*', '*secret*').describe(
    'Scopes that are not rolled out to ordinary users',
  ),
  sensitive_routes: patterns(
    '*admin*',
    '*export*',
    '*bulk*',
    '*secret*',
    '*credential*',
    '*impersonat*',
    '*backup*',
  ).describe('Routes whose first use matters'),
  sensitive_methods: z
    .array(z.string().min(1))
    .default(['DELETE'])
    .describe('Methods whose first use on a route matters'),
  release_subjects: z
    .number()
    .int()
    .min(1)
    .default(3)
    .describe(
      'Other subjects of the client that take to something within `release_window` and so make it a release',
    ),
  release_window: duration
    .prefault('14d')
    .describe('How long after its first use something counts as newly released'),
  common_share: z
    .number()
    .min(0)
    .max(1)
    .default(0.25)
    .describe('Share of the subjects of the client from which a scope or route is nothing special'),
  min_peers: z
    .number()
    .int()
    .min(0)
    .default(5)
    .describe('Subjects of the client below which there are too few peers to be sure'),
  authorization_lag: duration
    .prefault('2m')
    .describe('How much later than access events the authorization events of the same moment may arrive'),
  inactivity: duration
    .prefault('30d')
    .describe('Inactivity after which a grant is forgotten and learned anew'),
});
export type Options = z.infer<typeof options>;
