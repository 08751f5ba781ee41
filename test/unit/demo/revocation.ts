import * as oauth from 'oauth4webapi';
import type { ClientCredential } from '../../../schemas/config-authorization-server.ts';
import { clientAuthentication } from '../../../src/response/client-authentication.ts';
import { requestOptions } from '../../../src/response/transport.ts';

/** Revokes tokens as the client of `credential` (RFC 7009), by the shortest way. */
export function createRevocation(issuer: string, credential: ClientCredential) {
  const url = new URL(issuer);
  const local = requestOptions(url);
  const client = { client_id: credential.client_id };
  return async (token: string): Promise<void> => {
    const server = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, local));
    const authentication = await clientAuthentication(credential);
    await oauth.processRevocationResponse(
      await oauth.revocationRequest(server, client, authentication, token, local),
    );
  };
}
