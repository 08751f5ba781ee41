import { z } from 'zod';
import { instant, numericDate, scopeList, text } from './values.ts';

/** What an authorization server does that the product follows. */
export const authorizationEventType = z.enum([
  'token_issued',
  'token_refreshed',
  'token_revoked',
  'refresh_token_reused',
  'consent_granted',
  'consent_revoked',
  'session_started',
  'session_ended',
  'user_disabled',
  'user_enabled',
  'user_deleted',
  'credential_changed',
  'role_changed',
  'client_disabled',
]);

export const authorizationEventFields = {
  time: instant.describe('When the authorization server did it: RFC 3339 or epoch milliseconds'),
  type: authorizationEventType.describe(`What it did: ${authorizationEventType.options.join(', ')}`),
  iss: text().optional().describe('Issuer'),
  sub: text(512).optional().describe('Subject it concerns'),
  client_id: text(512).optional().describe('Client it concerns'),
  sid: text(512).optional().describe('Session it concerns'),
  jti: text(512).optional().describe('Access token it concerns'),
  token_hash: text(128).optional().describe('base64url SHA-256 of that access token'),
  refresh_token_hash: text(128).optional().describe('base64url SHA-256 of the refresh token'),
  family_id: text(512)
    .optional()
    .describe('The refresh token family: all tokens descended from one authorization'),
  scope: scopeList.optional().describe('Scopes granted'),
  requested_scope: scopeList.optional().describe('Scopes asked for'),
  grant_type: text(256).optional().describe('Grant type used'),
  client_ip: text(64).optional().describe('Address the request came from'),
  exp: numericDate.optional().describe('When the token expires (NumericDate, seconds)'),
  actor: text(512).optional().describe('Who did it: an administrator, a policy, the user'),
  reason: text(2048).optional().describe('Why'),
  previous_jti: text(512).optional().describe('Of a refresh: the access token it superseded'),
};

/** One line of a canonical authorization log. Fields it does not know stay, for `extra`. */
export const authorizationEventLine = z.looseObject(authorizationEventFields);

/** An authorization event inside the product. `time` and `exp` are epoch milliseconds. */
export interface AuthorizationEvent extends z.infer<z.ZodObject<typeof authorizationEventFields>> {
  readonly kind: 'authorization';
  readonly event_id: string;
  extra?: Record<string, unknown>;
}
