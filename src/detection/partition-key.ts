import type { AccessEvent } from '../../schemas/access-event.ts';
import type { AuthorizationEvent } from '../../schemas/authorization-event.ts';
import { clientKey, isMachine, subjectKey, tokenKey } from './keys.ts';

/** Identities that only authorization events have, for those that name neither subject, client nor token. */
function family(event: AccessEvent | AuthorizationEvent): string | undefined {
  if (event.kind === 'access') return undefined;
  return event.family_id ?? event.refresh_token_hash ?? event.previous_jti;
}

/**
 * Key by which events are brought together for detection: all events of a subject have the same, and so have its
 * sessions and tokens. Of a machine it is the client, because some servers give a machine's token a subject of its
 * own and some events leave it out; where there is neither, the token. Never mixes issuers.
 */
export function partitionKey(event: AccessEvent | AuthorizationEvent): string {
  const subject = subjectKey(event);
  const client = clientKey(event);
  const holder = isMachine(event) ? (client ?? subject) : (subject ?? client);
  return holder ?? tokenKey(event) ?? `${event.iss ?? ''}\n${event.sid ?? family(event) ?? event.event_id}`;
}
