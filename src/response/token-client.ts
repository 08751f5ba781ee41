import * as oauth from 'oauth4webapi';
import type {
  AuthorizationServerConfig,
  ClientCredential,
} from '../../schemas/config-authorization-server.ts';
import type { Secret } from '../../schemas/secret.ts';
import { messageOf, RecallError } from '../errors.ts';
import { clientAuthentication } from './client-authentication.ts';
import { createDiscovery } from './discovery.ts';
import { answered, assertOk } from './faults.ts';
import { requestOptions } from './transport.ts';

/** What one authorization server is asked about tokens. */
export interface TokenClient {
  /**
   * Asks for the revocation of an access token (RFC 7009 section 2.1). Returning means that the server took the
   * request, which it also says where it ignored it.
   *
   * @throws RecallError ERR_RESPONDER_UNAVAILABLE or ERR_RESPONDER_REFUSED
   */
  revoke(token: Secret, credential: ClientCredential, signal: AbortSignal): Promise<void>;
  /**
   * Whether an access token is active (RFC 7662 section 2.2); null where the server has no introspection endpoint.
   *
   * @throws RecallError ERR_RESPONDER_UNAVAILABLE or ERR_RESPONDER_REFUSED
   */
  introspect(token: Secret, credential: ClientCredential, signal: AbortSignal): Promise<boolean | null>;
}

type EndpointName = 'revocation_endpoint' | 'introspection_endpoint';
type Request = typeof oauth.revocationRequest;

/** Asks the server of `config`; its metadata is read at first use and again after a failure. */
export function createTokenClient(config: AuthorizationServerConfig): TokenClient {
  const discovery = createDiscovery(config);
  const additionalParameters = { token_type_hint: 'access_token' };

  /** The answer of an endpoint, with status 200; null where the server does not have the endpoint. */
  async function ask(
    name: EndpointName,
    request: Request,
    token: Secret,
    credential: ClientCredential,
    signal: AbortSignal,
  ): Promise<Response | null> {
    const as = await discovery.metadata();
    const endpoint = as[name];
    if (endpoint === undefined) return null;
    const what = `${name} ${endpoint}`;
    const client = { client_id: credential.client_id };
    try {
      const authentication = await clientAuthentication(credential);
      const response = await answered(what, config.timeout, signal, (either) =>
        request(as, client, authentication, token.reveal(), {
          ...requestOptions(new URL(endpoint), config.insecure_http),
          additionalParameters,
          signal: either,
        }),
      );
      await assertOk(what, credential.client_id, response);
      return response;
    } catch (error) {
      // It may have moved.
      discovery.forget();
      throw error;
    }
  }

  return {
    async revoke(token, credential, signal) {
      const response = await ask('revocation_endpoint', oauth.revocationRequest, token, credential, signal);
      if (response !== null) return;
      throw new RecallError(
        'ERR_RESPONDER_REFUSED',
        `${config.issuer} publishes no revocation_endpoint (RFC 7009); set revocation_endpoint if it has one`,
      );
    },
    async introspect(token, credential, signal) {
      const response = await ask(
        'introspection_endpoint',
        oauth.introspectionRequest,
        token,
        credential,
        signal,
      );
      if (response === null) return null;
      try {
        const as = { issuer: config.issuer };
        const client = { client_id: credential.client_id };
        return (await oauth.processIntrospectionResponse(as, client, response)).active;
      } catch (error) {
        throw new RecallError(
          'ERR_RESPONDER_REFUSED',
          `introspection_endpoint of ${config.issuer} did not answer as RFC 7662 has it: ${messageOf(error)}`,
        );
      }
    },
  };
}
