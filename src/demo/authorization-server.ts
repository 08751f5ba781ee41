import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import * as oauth from 'oauth4webapi';
import type { Provider } from 'oidc-provider';
import type { z } from 'zod';
import { clientCredential, type ClientCredential } from '../../schemas/config-authorization-server.ts';
import { messageOf } from '../errors.ts';
import { clientAuthentication } from '../response/client-authentication.ts';
import { requestOptions } from '../response/transport.ts';
import type { Logger } from '../telemetry/log.ts';
import {
  authorizationEvents,
  type AuthorizationEventInput,
  type ConsentGranted,
} from './authorization-server-events.ts';
import {
  createProvider,
  REDIRECT_URI,
  type ForeignRevocation,
  type Grant,
} from './authorization-server-provider.ts';
import { createBrowser, type Browser } from './authorization-server-browser.ts';

/** A client to register. The credential is the very literal that configuration takes. */
export interface DemoClient {
  credential: z.input<typeof clientCredential>;
  /** What it may ask for; default: all. */
  grants?: readonly Grant[];
}

export interface AuthorizationServerOptions {
  /** Address to listen on; default 127.0.0.1. It signs in whoever is named: never a public one. */
  host?: string;
  /** A free one where absent. */
  port?: number;
  /** Issuer identifier, where others reach it by another name than 127.0.0.1. */
  issuer?: string;
  clients: readonly DemoClient[];
  /** Scopes that clients may ask for. */
  scopes: readonly string[];
  /** Seconds; default 3600. */
  accessTokenTtl?: number;
  /** Resources (RFC 8707) for which access tokens are JWTs. */
  jwtResources?: readonly string[];
  /** What becomes of a request to revoke another client's token; default `ignore`: 200, and nothing happens. */
  foreignRevocation?: ForeignRevocation;
  /** Called with each canonical authorization event, in order. */
  onEvent?: (event: AuthorizationEventInput) => void;
  log?: Logger;
}

export interface SignIn {
  client_id: string;
  subject: string;
  /** Space-separated. */
  scope: string;
  /** Sign-ins of one subject with the same id share a browser, and so a session (`sid`). Not concurrently. */
  sessionId?: string;
  /** Resource to ask a token for. */
  resource?: string;
}

/** Answer of the token endpoint (RFC 6749 section 5.1). */
export interface IssuedTokens {
  access_token: string;
  refresh_token?: string | undefined;
  token_type: string;
  /** Space-separated. */
  scope: string;
  /** Seconds. */
  expires_in: number;
}

export interface AuthorizationServer {
  readonly issuer: string;
  /** Signs `subject` in and gets tokens by the authorization code grant with PKCE, all over HTTP. */
  signIn(options: SignIn): Promise<IssuedTokens>;
  clientCredentials(options: { client_id: string; scope: string; resource?: string }): Promise<IssuedTokens>;
  refresh(options: { client_id: string; refresh_token: string; scope?: string }): Promise<IssuedTokens>;
  /** What the introspection endpoint says of `token` (RFC 7662), asked as a resource server. */
  introspect(token: string): Promise<oauth.IntrospectionResponse>;
  isActive(token: string): Promise<boolean>;
  stop(): Promise<void>;
}

const ALL_GRANTS: readonly Grant[] = ['authorization_code', 'refresh_token', 'client_credentials'];

/**
 * Starts a real authorization server (oidc-provider) on loopback, for the demo and for tests. Access tokens are
 * opaque; introspection names `sub client_id scope exp iat jti`, and `sid` where a session stands behind the token.
 * Revoking an access token takes all tokens of its grant along, as this server does.
 */
export async function startAuthorizationServer(
  options: AuthorizationServerOptions,
): Promise<AuthorizationServer> {
  const inspector: ClientCredential = clientCredential.parse({
    auth_method: 'client_secret_basic',
    client_id: 'token-inspector',
    client_secret: randomBytes(32).toString('base64url'),
  });
  const clients = new Map(
    options.clients.map(({ credential, grants = ALL_GRANTS }) => [
      credential.client_id,
      { credential: clientCredential.parse(credential), grants },
    ]),
  );

  const listener = createServer();
  listener.listen(options.port ?? 0, options.host ?? '127.0.0.1');
  await once(listener, 'listening');
  const issuer = options.issuer ?? `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
  const onError = (error: unknown) =>
    options.log?.error({ problem: messageOf(error) }, 'authorization server');
  const onEvent = options.onEvent ?? (() => undefined);
  const provider = await createProvider({
    issuer,
    clients: [...clients.values(), { credential: inspector, grants: [] }],
    scopes: options.scopes,
    jwtResources: options.jwtResources ?? [],
    accessTokenTtl: options.accessTokenTtl ?? 3600,
    foreignRevocation: options.foreignRevocation ?? 'ignore',
    onEvent,
    onError,
  });
  const { consentGranted } = authorizationEvents(issuer, onEvent);
  const answer = provider.callback();
  listener.on('request', (request, response) => {
    if (request.url?.startsWith('/interaction/') !== true) return void answer(request, response);
    interact(provider, request, response, consentGranted).catch((error: unknown) => {
      onError(error);
      response.writeHead(500).end();
    });
  });

  // It speaks to itself alone.
  const local = requestOptions(new URL(issuer), true);
  const as = await oauth.processDiscoveryResponse(
    new URL(issuer),
    await oauth.discoveryRequest(new URL(issuer), local),
  );
  const browsers = new Map<string, Browser>();
  const clientOf = async (client_id: string) => {
    const known = clients.get(client_id);
    if (known === undefined) throw new Error(`no such client at the authorization server: ${client_id}`);
    return { client: { client_id }, authentication: await clientAuthentication(known.credential) };
  };
  const tokenRequest = async (client_id: string, grant: string, fields: Record<string, string>) => {
    const { client, authentication } = await clientOf(client_id);
    const response = await oauth.genericTokenEndpointRequest(
      as,
      client,
      authentication,
      grant,
      fields,
      local,
    );
    return issued(await oauth.processGenericTokenEndpointResponse(as, client, response));
  };
  const introspect = async (token: string) => {
    const client = { client_id: inspector.client_id };
    const authentication = await clientAuthentication(inspector);
    const response = await oauth.introspectionRequest(as, client, authentication, token, local);
    return oauth.processIntrospectionResponse(as, client, response);
  };

  return {
    issuer,
    async signIn({ client_id, subject, scope, sessionId, resource }) {
      const key = sessionId === undefined ? undefined : JSON.stringify([sessionId, subject]);
      const browser = (key === undefined ? undefined : browsers.get(key)) ?? createBrowser();
      if (key !== undefined) browsers.set(key, browser);
      const { client, authentication } = await clientOf(client_id);
      const verifier = oauth.generateRandomCodeVerifier();
      const state = oauth.generateRandomState();
      const start = new URL(as.authorization_endpoint ?? '');
      start.search = new URLSearchParams({
        client_id,
        scope,
        state,
        response_type: 'code',
        redirect_uri: REDIRECT_URI,
        login_hint: subject,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        ...(resource !== undefined && { resource }),
      }).toString();
      const end = await browser.follow(start, (url) => url.href.startsWith(REDIRECT_URI));
      const parameters = oauth.validateAuthResponse(as, client, end, state);
      const response = await oauth.authorizationCodeGrantRequest(
        as,
        client,
        authentication,
        parameters,
        REDIRECT_URI,
        verifier,
        local,
      );
      return issued(await oauth.processAuthorizationCodeResponse(as, client, response));
    },
    clientCredentials: ({ client_id, ...fields }) => tokenRequest(client_id, 'client_credentials', fields),
    refresh: ({ client_id, ...fields }) => tokenRequest(client_id, 'refresh_token', fields),
    introspect,
    isActive: async (token) => (await introspect(token)).active,
    async stop() {
      listener.close();
      listener.closeAllConnections();
      await once(listener, 'close');
    },
  };
}

function issued(answer: oauth.TokenEndpointResponse): IssuedTokens {
  const { access_token, refresh_token, token_type, scope = '', expires_in = 0 } = answer;
  return { access_token, refresh_token, token_type, scope, expires_in };
}

/** Stands for the sign-in and consent pages: believes `login_hint` and grants what is asked. */
async function interact(
  provider: Provider,
  request: IncomingMessage,
  response: ServerResponse,
  consentGranted: (grant: ConsentGranted) => void,
): Promise<void> {
  const { params, session, grantId } = await provider.interactionDetails(request, response);
  const client_id = String(params['client_id']);
  const scope = String(params['scope']);
  const sub = session?.accountId ?? String(params['login_hint']);
  const grant =
    (grantId === undefined ? undefined : await provider.Grant.find(grantId)) ??
    new provider.Grant({ accountId: sub, clientId: client_id });
  grant.addOIDCScope(scope);
  if (typeof params['resource'] === 'string') grant.addResourceScope(params['resource'], scope);
  const family_id = await grant.save();
  consentGranted({ sub, client_id, scope, family_id, ...(session && { sid: session.uid }) });
  await provider.interactionFinished(request, response, {
    login: { accountId: sub },
    consent: { grantId: family_id },
  });
}
