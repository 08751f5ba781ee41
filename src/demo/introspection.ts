import * as oauth from 'oauth4webapi';
import type { ClientCredential } from '../../schemas/config-authorization-server.ts';
import { clientAuthentication } from '../response/client-authentication.ts';
import { requestOptions } from '../response/transport.ts';
import type { Introspected } from './gateway.ts';

/** Claims that stand in an introspection answer (RFC 7662 section 2.2) and belong into an access log. */
const LOGGED = ['iss', 'sub', 'client_id', 'scope', 'jti', 'sid', 'iat', 'exp', 'aud'];

/**
 * Asks the authorization server at `issuer` about tokens, as the client of `credential`. Nothing is cached.
 *
 * @returns a function that throws where the server can't be reached or does not answer as RFC 7662 says
 */
export async function createIntrospection(
  issuer: string,
  credential: ClientCredential,
): Promise<(token: string) => Promise<Introspected>> {
  const url = new URL(issuer);
  const local = requestOptions(url);
  const server = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, local));
  const client = { client_id: credential.client_id };
  const authentication = await clientAuthentication(credential);
  return async (token) => {
    const response = await oauth.introspectionRequest(server, client, authentication, token, {
      ...local,
      signal: AbortSignal.timeout(5_000),
    });
    const answer = await oauth.processIntrospectionResponse(server, client, response);
    const claims = Object.fromEntries(
      LOGGED.filter((name) => name in answer).map((name) => [name, answer[name]]),
    );
    return { active: answer.active, scope: answer.scope, claims: answer.active ? claims : {} };
  };
}
