import { z } from 'zod';
import { accessEventFields, type AccessEvent } from '../../schemas/access-event.ts';
import { secret, type Secret } from '../../schemas/secret.ts';
import { RecallError } from '../errors.ts';
import { forwardedChain } from './address.ts';
import { tokenClaims } from './claims.ts';
import { checkAddress, checkFields, extraOf, scrubFields, splitLine } from './fields.ts';
import type { Line } from './format.ts';
import { digest, tokenHash } from './hash.ts';
import { maskCredentials } from './mask.ts';
import { deriveRoute, requestPath } from './route.ts';

const line = z.object(accessEventFields);
/** What stays in the event, and what is read off the line and then gone. */
const kept = line.omit({ token: true, azp: true });
const passing = line.pick({ token: true, azp: true });
const fieldSchemas: Readonly<Record<string, z.ZodType>> = accessEventFields;
const names: ReadonlySet<string> = new Set(Object.keys(accessEventFields));

/**
 * Lengths at which texts that the caller chooses are cut. The schema would refuse the line, and a long header
 * would hide a request from detection.
 */
const CUT = [
  ['method', 32],
  ['host', 256],
  ['path', 8192],
  ['user_agent', 2048],
] as const;
const MAX_REQUEST_ID = 256;

function trimCallersFields(known: Record<string, unknown>): void {
  for (const [name, length] of CUT) {
    const value = known[name];
    if (typeof value === 'string' && value.length > length) known[name] = value.slice(0, length);
  }
  // Cut ids could be equal where the whole ones are not: without one, the content names the event.
  const id = known['request_id'];
  if (typeof id === 'string' && id.length > MAX_REQUEST_ID) delete known['request_id'];
}

/** Whether the gateway let the request pass, and so, for a JWT, verified the token. */
function wasAccepted(known: Record<string, unknown>): boolean {
  const status = known['status'];
  return typeof status === 'number' && status >= 100 && status < 400;
}

/** The claims of the token that the line does not give, without those that their fields would refuse. */
function missingClaims(known: Record<string, unknown>, token: string): Record<string, unknown> {
  const entries = Object.entries(tokenClaims(token)).filter(
    ([name, value]) =>
      known[name] === undefined && value !== '' && fieldSchemas[name]?.safeParse(value).success === true,
  );
  return Object.fromEntries(entries);
}

/** The hash of the raw token, held against the one the line gives. */
function checkedHash(token: string, given: unknown): string {
  const hash = tokenHash(token);
  if (given !== undefined && (typeof given !== 'string' || given.replace(/=+$/, '') !== hash)) {
    throw new RecallError('ERR_DECODE_SCHEMA', 'token_hash: not the base64url SHA-256 of the token given');
  }
  return hash;
}

/**
 * A canonical line of an access log as an access event, and the raw token, sealed in a {@link Secret}, where the
 * line has one. The token is nowhere else in the result.
 *
 * `event_id` is a function of the request: of gateway, host, request id, time, address and token where the line
 * has a request id (an id alone is not trusted: many gateways take it from the caller, who could make his
 * request pass for a delivery of another), else of the whole content, so that exact duplicates are one delivery.
 *
 * @throws RecallError ERR_DECODE_SCHEMA, ERR_DECODE_TIME, ERR_DECODE_ADDRESS or ERR_DECODE_IDENTITY
 */
export function decodeAccess(given: Line): { event: AccessEvent; token?: Secret } {
  const { known, rest } = splitLine(given, names);
  const { token, azp } = checkFields(passing, known);
  const hash = token === undefined ? undefined : checkedHash(token, known['token_hash']);
  if (hash !== undefined) known['token_hash'] = hash;
  if (known['client_id'] === undefined && azp !== undefined) known['client_id'] = azp;
  if (token !== undefined && wasAccepted(known)) Object.assign(known, missingClaims(known, token));
  const replace = token === undefined || hash === undefined ? undefined : { token, hash };
  scrubFields(known, replace);
  const loggedPath = typeof known['path'] === 'string' ? known['path'] : '';
  trimCallersFields(known);

  const fields = checkFields(kept, known);
  const extra = extraOf(rest, replace);
  fields.client_ip = checkAddress(fields.client_ip, 'client_ip');
  if (fields.forwarded_for !== undefined) fields.forwarded_for = forwardedChain(fields.forwarded_for);
  const identity = fields.token_hash ?? fields.jti ?? fields.sub ?? fields.client_id;
  if (identity === undefined) {
    throw new RecallError(
      'ERR_DECODE_IDENTITY',
      'says of nobody: one of token, token_hash, jti, sub or client_id is required',
    );
  }
  const event_id =
    fields.request_id === undefined
      ? digest('access', JSON.stringify([fields, extra]), loggedPath)
      : digest(
          'access',
          fields.gateway ?? '',
          fields.host ?? '',
          fields.request_id,
          String(fields.time),
          fields.client_ip,
          identity,
        );

  if (fields.path !== undefined) {
    fields.path = maskCredentials(requestPath(fields.path));
    fields.route ??= deriveRoute(fields.path);
  }
  if (fields.user_agent !== undefined) fields.user_agent = maskCredentials(fields.user_agent);
  const event: AccessEvent = { kind: 'access', event_id, ...fields };
  if (extra !== undefined) event.extra = extra;
  return token === undefined ? { event } : { event, token: secret(token) };
}
