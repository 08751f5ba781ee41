import { z } from 'zod';
import { authorizationEventFields, type AuthorizationEvent } from '../../schemas/authorization-event.ts';
import { RecallError } from '../errors.ts';
import { checkAddress, checkFields, extraOf, scrubFields, splitLine } from './fields.ts';
import type { Line } from './format.ts';
import { digest } from './hash.ts';
import { maskCredentials } from './mask.ts';

const schema = z.object(authorizationEventFields);
const names: ReadonlySet<string> = new Set([...Object.keys(authorizationEventFields), 'azp']);

/** Fields that say whom or what an authorization event concerns. */
const CONCERNS = [
  'sub',
  'client_id',
  'sid',
  'jti',
  'token_hash',
  'refresh_token_hash',
  'family_id',
  'previous_jti',
] as const;

/**
 * A canonical line of an authorization log as an authorization event. Raw tokens in it are dropped: such a log
 * names tokens by hash or id. `event_id` is a function of the content: exact duplicates are one delivery.
 *
 * @throws RecallError ERR_DECODE_SCHEMA, ERR_DECODE_TIME, ERR_DECODE_ADDRESS or ERR_DECODE_IDENTITY
 */
export function decodeAuthorization(line: Line): AuthorizationEvent {
  const { known, rest } = splitLine(line, names);
  if (known['client_id'] === undefined && known['azp'] !== undefined) known['client_id'] = known['azp'];
  scrubFields(known, undefined);
  const fields = checkFields(schema, known);
  if (fields.client_ip !== undefined) fields.client_ip = checkAddress(fields.client_ip, 'client_ip');
  if (CONCERNS.every((name) => fields[name] === undefined)) {
    throw new RecallError('ERR_DECODE_IDENTITY', `says of nobody: one of ${CONCERNS.join(', ')} is required`);
  }
  if (fields.reason !== undefined) fields.reason = maskCredentials(fields.reason);
  const extra = extraOf(rest, undefined);
  const event: AuthorizationEvent = {
    kind: 'authorization',
    event_id: digest('authorization', JSON.stringify([fields, extra])),
    ...fields,
  };
  if (extra !== undefined) event.extra = extra;
  return event;
}
