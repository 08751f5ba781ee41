import { z } from 'zod';
import { secretText } from './secret.ts';
import { duration } from './values.ts';

const clientId = z.string().min(1).describe('client_id');

/** How one client authenticates at the revocation and introspection endpoints (RFC 6749 section 2.3, RFC 7523). */
export const clientCredential = z.discriminatedUnion('auth_method', [
  z.strictObject({
    auth_method: z.enum(['client_secret_basic', 'client_secret_post']).describe('How the secret is sent'),
    client_id: clientId,
    client_secret: secretText.describe('Its secret'),
  }),
  z.strictObject({
    auth_method: z.literal('private_key_jwt').describe('A JWT signed with the private key of the client'),
    client_id: clientId,
    private_key: secretText.describe('Private key, PEM (PKCS #8)'),
    key_id: z.string().optional().describe('kid of the key'),
    algorithm: z.enum(['RS256', 'PS256', 'ES256', 'EdDSA']).default('RS256').describe('Signature algorithm'),
  }),
  z.strictObject({
    auth_method: z.literal('none').describe('A public client: client_id only'),
    client_id: clientId,
  }),
]);
export type ClientCredential = z.infer<typeof clientCredential>;

export const authorizationServerConfig = z.strictObject({
  issuer: z.url({ protocol: /^https?$/ }).describe('Issuer identifier, as in `iss`'),
  metadata_url: z
    .string()
    .optional()
    .describe('Metadata document; default: RFC 8414, then OpenID Connect Discovery, at the issuer'),
  revocation_endpoint: z.string().optional().describe('RFC 7009 endpoint, where metadata names none'),
  introspection_endpoint: z.string().optional().describe('RFC 7662 endpoint, where metadata names none'),
  default: z.boolean().default(false).describe('Whether tokens without `iss` are taken to be of this server'),
  insecure_http: z
    .boolean()
    .default(false)
    .describe('Allow plain http beyond loopback, as inside a private network; tokens travel in clear'),
  credential: clientCredential.describe('Used for introspection, and for tokens of clients not listed below'),
  clients: z
    .array(clientCredential)
    .default([])
    .describe('Credentials by client: many servers let only the owning client revoke a token'),
  timeout: duration.prefault('10s').describe('How long an answer may take'),
  concurrency: z.number().int().min(1).default(4).describe('Requests under way at once'),
  circuit: z
    .strictObject({
      failures: z
        .number()
        .int()
        .min(1)
        .default(5)
        .describe('Failures in a row after which the server is left alone'),
      pause: duration.prefault('10s').describe('For how long, before one request tries it again'),
    })
    .prefault({})
    .describe('Circuit breaker: a server that fails is not asked more and more'),
});
export type AuthorizationServerConfig = z.infer<typeof authorizationServerConfig>;
