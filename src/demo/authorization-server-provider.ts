import { createPublicKey, randomBytes, randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import type * as oidcProvider from 'oidc-provider';
import type { ClientMetadata, Configuration, KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { ClientCredential } from '../../schemas/config-authorization-server.ts';
import { authorizationEvents, type AuthorizationEventInput } from './authorization-server-events.ts';
import { memoryStorage } from './authorization-server-storage.ts';

export type Grant = 'authorization_code' | 'refresh_token' | 'client_credentials';

/** A registered client: how it authenticates and what it may ask for. */
export interface RegisteredClient {
  credential: ClientCredential;
  grants: readonly Grant[];
}

/** What the server does when a client asks it to revoke a token of another client (RFC 7009 section 2.1). */
export type ForeignRevocation = 'ignore' | 'refuse';

export interface ProviderOptions {
  issuer: string;
  clients: readonly RegisteredClient[];
  scopes: readonly string[];
  /** Resources (RFC 8707) whose access tokens are JWTs (RFC 9068); all other tokens are opaque. */
  jwtResources: readonly string[];
  /** Seconds. */
  accessTokenTtl: number;
  foreignRevocation: ForeignRevocation;
  onEvent: (event: AuthorizationEventInput) => void;
  onError: (error: unknown) => void;
}

/** Where the flow ends. Nothing listens there: the code is read from the redirect itself. */
export const REDIRECT_URI = 'https://client.example/callback';

const DAY = 86_400;

/** Builds the server on oidc-provider: opaque access tokens, revocation (RFC 7009), introspection (RFC 7662), PKCE. */
export async function createProvider(options: ProviderOptions): Promise<Provider> {
  const { default: Provider, errors } = await importQuietly();
  const events = authorizationEvents(options.issuer, options.onEvent);
  const configuration: Configuration = {
    adapter: memoryStorage(events.tokenGone),
    clients: options.clients.map(clientMetadata),
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    clientBasedCORS: () => false,
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    enabledJWA: { clientAuthSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'] },
    // The library gives an opaque token no id but itself, so it gets one, and its session, that may be shown.
    extraTokenClaims: (_ctx, token) => ({
      jti: randomUUID(),
      ...('sessionUid' in token && { sid: token.sessionUid }),
    }),
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      introspection: {
        enabled: true,
        // A resource server asks about tokens that it did not get itself; a public client has proven nothing.
        allowedPolicy: (_ctx, client, token) =>
          client.clientAuthMethod !== 'none' || client.clientId === token.clientId,
      },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo(_ctx, resource) {
          if (!options.jwtResources.includes(resource)) throw new errors.InvalidTarget();
          return {
            scope: options.scopes.join(' '),
            accessTokenFormat: 'jwt',
            jwt: { sign: { alg: 'ES256' } },
          };
        },
      },
      revocation: {
        enabled: true,
        allowedPolicy(_ctx, client, token) {
          if (client.clientId === token.clientId) return true;
          if (options.foreignRevocation === 'ignore') return false;
          throw new errors.InvalidRequest('client is not authorized to revoke the presented token');
        },
      },
      rpInitiatedLogout: { enabled: false },
      userinfo: { enabled: false },
    },
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    jwks: { keys: [await signingKey()] },
    pkce: { required: () => true },
    renderError(ctx, out) {
      ctx.type = 'json';
      ctx.body = out;
    },
    rotateRefreshToken: true,
    scopes: [...options.scopes],
    ttl: {
      AccessToken: options.accessTokenTtl,
      AuthorizationCode: 60,
      ClientCredentials: options.accessTokenTtl,
      Grant: DAY,
      IdToken: 3600,
      Interaction: 600,
      RefreshToken: DAY,
      Session: DAY,
    },
  };
  const provider = new Provider(options.issuer, configuration);
  provider.use(async (ctx: object & { body: unknown }, next) => {
    await next();
    const { route, entities } = (ctx as KoaContextWithOIDC).oidc;
    const token = entities.AccessToken ?? entities.ClientCredentials;
    if (route === 'introspection' && token?.extra) ctx.body = { ...(ctx.body as object), ...token.extra };
  });
  provider.on('grant.success', events.grantSucceeded);
  provider.on('grant.error', events.grantFailed);
  provider.on('grant.revoked', events.grantRevoked);
  provider.on('server_error', (_ctx, error) => options.onError(error));
  // What Koa prints to stderr has been told by then.
  provider.silent = true;
  return provider;
}

/** oidc-provider prints a warning on Node 20, where all that it is used for here works; nothing else is held back. */
async function importQuietly(): Promise<typeof oidcProvider> {
  /* eslint-disable no-console -- the library knows no other way to be quiet */
  const { warn } = console;
  console.warn = (...values: unknown[]) => {
    if (!String(values[0]).includes('oidc-provider WARNING: Unsupported runtime')) warn(...values);
  };
  try {
    return await import('oidc-provider');
  } finally {
    console.warn = warn;
  }
  /* eslint-enable no-console */
}

async function signingKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  return { ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig', kid: randomUUID() };
}

function clientMetadata({ credential, grants }: RegisteredClient): ClientMetadata {
  return {
    client_id: credential.client_id,
    token_endpoint_auth_method: credential.auth_method,
    grant_types: [...grants],
    response_types: grants.includes('authorization_code') ? ['code'] : [],
    redirect_uris: grants.includes('authorization_code') ? [REDIRECT_URI] : [],
    ...('client_secret' in credential && { client_secret: credential.client_secret.reveal() }),
    ...('private_key' in credential && { jwks: { keys: [publicKey(credential)] } }),
  };
}

function publicKey(credential: Extract<ClientCredential, { auth_method: 'private_key_jwt' }>): JWK {
  const jwk = createPublicKey(credential.private_key.reveal()).export({ format: 'jwk' }) as JWK;
  return {
    ...jwk,
    alg: credential.algorithm,
    use: 'sig',
    ...(credential.key_id && { kid: credential.key_id }),
  };
}
