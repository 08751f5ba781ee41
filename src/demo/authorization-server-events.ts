import type { AdapterPayload, KoaContextWithOIDC } from 'oidc-provider';
import type { z } from 'zod';
import type { authorizationEventFields } from '../../schemas/authorization-event.ts';
import { tokenHash } from '../formats/hash.ts';

/** One line of a canonical authorization log, as it is written: `time` in milliseconds, `exp` in seconds. */
export type AuthorizationEventInput = z.input<z.ZodObject<typeof authorizationEventFields>>;

/** A subject's grant to a client; `family_id` is what all tokens issued under it share. */
export interface ConsentGranted {
  sub: string;
  client_id: string;
  sid?: string;
  scope: string;
  family_id: string;
}

/** Turns what oidc-provider tells of itself into canonical authorization events. No token is in any of them. */
export function authorizationEvents(iss: string, emit: (event: AuthorizationEventInput) => void) {
  const say = (event: Omit<AuthorizationEventInput, 'time' | 'iss'>): void =>
    emit({ ...compact(event), type: event.type, time: Date.now(), iss });

  return {
    /** The token endpoint answered: what it issued, under which grant. */
    grantSucceeded: (ctx: KoaContextWithOIDC): void => {
      const { entities, params } = ctx.oidc;
      const token = entities.AccessToken ?? entities.ClientCredentials;
      if (token === undefined) return;
      const answer = ctx.body as { access_token: string; refresh_token?: string };
      const granted = entities.AccessToken;
      say({
        type: params?.['grant_type'] === 'refresh_token' ? 'token_refreshed' : 'token_issued',
        sub: granted?.accountId,
        client_id: token.clientId,
        sid: text(token.extra?.['sid']),
        // The library's own id of an opaque token is the token.
        jti: token.jti === answer.access_token ? text(token.extra?.['jti']) : token.jti,
        token_hash: tokenHash(answer.access_token),
        refresh_token_hash: answer.refresh_token && tokenHash(answer.refresh_token),
        family_id: granted?.grantId,
        scope: token.scope,
        requested_scope: text(params?.['scope']),
        grant_type: text(params?.['grant_type']),
        // The token computes `exp` when it is written, which is not told; `iat` is of the same moment.
        exp: Math.floor(Date.now() / 1000) + token.expiration,
      });
    },
    /** The token endpoint refused; of interest where a rotated refresh token came back (RFC 9700 section 4.14.2). */
    grantFailed: (ctx: KoaContextWithOIDC): void => {
      const token = ctx.oidc.entities.RefreshToken;
      if (token?.consumed === undefined || token.consumed === false) return;
      say({
        type: 'refresh_token_reused',
        sub: token.accountId,
        client_id: token.clientId,
        sid: token.sessionUid,
        refresh_token_hash: tokenHash(token.jti),
        family_id: token.grantId,
      });
    },
    /** A grant was taken back with all that was issued under it. */
    grantRevoked: (ctx: KoaContextWithOIDC, grantId: string): void => {
      const { entities } = ctx.oidc;
      say({
        type: 'consent_revoked',
        sub: (entities.RefreshToken ?? entities.AccessToken ?? entities.AuthorizationCode)?.accountId,
        client_id: entities.Client?.clientId,
        family_id: grantId,
      });
    },
    /** The subject granted a client a scope. */
    consentGranted: (grant: ConsentGranted): void => say({ type: 'consent_granted', ...grant }),
    /** A token was taken out of storage before its time. */
    tokenGone: (kind: string, payload: AdapterPayload): void => {
      // Only opaque tokens are in storage, and their id there is the token.
      const hash = payload.jti === undefined ? undefined : tokenHash(payload.jti);
      const isAccess = kind === 'AccessToken' || kind === 'ClientCredentials';
      if (!isAccess && kind !== 'RefreshToken') return;
      say({
        type: 'token_revoked',
        sub: payload.accountId,
        client_id: payload.clientId,
        sid: payload.sessionUid,
        jti: text(payload.extra?.['jti']),
        token_hash: isAccess ? hash : undefined,
        refresh_token_hash: isAccess ? undefined : hash,
        family_id: payload.grantId,
      });
    },
  };
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** Without the fields that are undefined: absent is how the contract spells unknown. */
const compact = (event: object): object =>
  Object.fromEntries(Object.entries(event).filter(([, value]) => value !== undefined));
