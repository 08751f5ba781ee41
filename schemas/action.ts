import { z } from 'zod';
import { mode } from './alert.ts';
import { handleKind } from './finding.ts';

/**
 * Where an attempt to carry a decision out stands. `accepted`: the server took the request;
 * `confirmed`: proven, by introspection, that the token is dead; `failed`: it could not be done and will not be retried.
 * `pending` is the state before the first answer, also between retries; `moot`: the token expired before a server took
 * the request, so there was nothing left to revoke.
 */
export const actionState = z.enum(['pending', 'accepted', 'confirmed', 'failed', 'moot']);
export type ActionState = z.infer<typeof actionState>;

/** One attempt to carry a decision out, and its receipt. */
export const action = z.object({
  action_id: z
    .string()
    .describe('A function of alert or request, handle and value: asked twice, recorded once'),
  alert_id: z.string().optional().describe('The alert it comes from; absent where a person asked'),
  requested_by: z.string().describe('`policy`, or the name of the API credential that asked'),
  requested_at: z.number().describe('Epoch milliseconds'),
  responder: z.string().describe('Which responder carries it out, such as `rfc7009`'),
  handle: handleKind,
  value: z.string().describe('Token hash or jti, sid, sub, client_id'),
  iss: z.string().optional(),
  sub: z.string().optional(),
  client_id: z.string().optional(),
  sid: z.string().optional(),
  token_hash: z.string().optional(),
  partition: z
    .string()
    .optional()
    .describe('State partition it was decided in: the worker that owns it carries the action out'),
  expires_at: z
    .number()
    .optional()
    .describe('When the token expires by itself, epoch milliseconds, if known'),
  seen_active_at: z
    .number()
    .optional()
    .describe('When introspection showed the token active before it was revoked, epoch milliseconds'),
  event_time: z.number().describe('Event time that caused it, epoch milliseconds'),
  mode,
  state: actionState,
  attempts: z.number().int().describe('Requests made so far'),
  reason: z.string().describe('Why it was asked'),
  detail: z.string().describe('What came of it, in words'),
  updated_at: z.number().describe('When the state last changed, epoch milliseconds'),
});
export type Action = z.infer<typeof action>;
