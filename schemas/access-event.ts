import { z } from 'zod';
import { instant, numericDate, scopeList, text, textList } from './values.ts';

const confirmation = z.looseObject({
  jkt: text(128).optional().describe('JWK thumbprint the token is bound to (RFC 9449 section 6.1)'),
  'x5t#S256': text(128)
    .optional()
    .describe('Certificate thumbprint the token is bound to (RFC 8705 section 3.1)'),
});

const dpopProof = z.object({
  jti: text(256).optional().describe('Unique id of the proof'),
  jkt: text(128).optional().describe('Thumbprint of the key that signed the proof'),
  htm: text(16).optional().describe('HTTP method the proof was made for'),
  htu: text().optional().describe('HTTP URI the proof was made for'),
  iat: numericDate.optional().describe('When the proof was made'),
});

const actor: z.ZodType<Record<string, unknown>> = z.record(z.string(), z.unknown());

/** The fields of a canonical access event as a gateway writes them (design: canonical access event). */
export const accessEventFields = {
  time: instant.describe('When the gateway saw the request: RFC 3339 or epoch milliseconds'),
  client_ip: text(64).describe('Address of the peer the gateway accepted the connection from'),
  request_id: text(256)
    .optional()
    .describe("The gateway's id of the request; the same id twice is one request delivered twice"),
  gateway: text(256).optional().describe('Name of the gateway that logged the request'),
  host: text(256).optional().describe('Host the request was for'),
  method: text(32).optional().describe('HTTP method'),
  path: text(8192).optional().describe('Path without query'),
  route: text(1024).optional().describe('Route template; derived from `path` where absent'),
  status: z.number().int().min(100).max(599).optional().describe('HTTP status the gateway answered'),
  user_agent: z.string().max(2048).optional().describe('User-Agent header'),
  ja4: text(128).optional().describe('JA4 TLS client fingerprint'),
  bytes_out: z.number().min(0).optional().describe('Bytes of the answer'),
  duration_ms: z.number().min(0).optional().describe('Time the request took, in milliseconds'),
  forwarded_for: z
    .union([
      z.string().transform((list) =>
        list
          .split(',')
          .map((hop) => hop.trim())
          .filter(Boolean),
      ),
      z.array(z.string()),
    ])
    .optional()
    .describe('The X-Forwarded-For chain, client first; only hops that configuration trusts are believed'),
  token: text(16_384)
    .optional()
    .describe('The raw access token; sealed on arrival, never stored or logged in clear'),
  token_hash: text(128).optional().describe("base64url SHA-256 of the token (computed as RFC 9449's ath)"),
  iss: text().optional().describe('Issuer'),
  sub: text(512).optional().describe('Subject'),
  client_id: text(512).optional().describe('Client the token was issued to'),
  azp: text(512).optional().describe('Authorized party; stands in for an absent client_id'),
  jti: text(512).optional().describe('Id of the token'),
  sid: text(512).optional().describe('Session at the authorization server'),
  scope: scopeList.optional().describe('Scopes of the token: space-separated text or an array'),
  aud: textList.optional().describe('Audience of the token'),
  iat: numericDate.optional().describe('When the token was issued (NumericDate, seconds)'),
  exp: numericDate.optional().describe('When the token expires (NumericDate, seconds)'),
  nbf: numericDate.optional().describe('Before when the token is not valid (NumericDate, seconds)'),
  auth_time: numericDate.optional().describe('When the subject authenticated (NumericDate, seconds)'),
  acr: text(256).optional().describe('Authentication context class'),
  amr: textList.optional().describe('Authentication methods'),
  act: actor.optional().describe('Actor of a delegated token (RFC 8693 section 4.1)'),
  cnf: confirmation.optional().describe('Key binding of the token (RFC 7800)'),
  grant_type: text(256).optional().describe('Grant type the token came from'),
  token_type: text(64).optional().describe('Bearer, DPoP or N_A: how the caller presented the token'),
  dpop: dpopProof
    .optional()
    .describe('The DPoP proof the caller presented (RFC 9449): `jti`, `jkt`, `htm`, `htu`, `iat`'),
  mtls: z
    .object({
      'x5t#S256': text(128).optional().describe('Thumbprint of the certificate the caller presented'),
    })
    .optional()
    .describe('The mutual TLS certificate the caller presented (RFC 8705)'),
};

/** One line of a canonical access log. Fields it does not know stay, for `extra`. */
export const accessEventLine = z.looseObject(accessEventFields);

/**
 * An access event inside the product: one request a gateway logged, decoded, without the raw token.
 * `time`, `iat`, `exp`, `nbf` and `auth_time` are epoch milliseconds; `scope` is a sorted list.
 */
export interface AccessEvent extends Omit<z.infer<z.ZodObject<typeof accessEventFields>>, 'token' | 'azp'> {
  readonly kind: 'access';
  /** A function of the request: its id where the gateway gave one, else its content. */
  readonly event_id: string;
  /** What the line said besides the canonical fields. */
  extra?: Record<string, unknown>;
}

/** How an address reaches the Internet. */
export const networkClass = z.enum(['residential', 'mobile', 'hosting', 'anonymizer', 'private', 'unknown']);
export type NetworkClass = z.infer<typeof networkClass>;

/** What enrichment adds to an access event. Absent fields are unknown, never zero. */
export interface Enrichment {
  /** Canonical text of the address that counts: IPv4-mapped IPv6 unmapped, trusted hops followed. */
  ip: string;
  country?: string;
  city?: string;
  latitude?: number;
  longitude?: number;
  /** Radius in km within which the address is said to be. Absent where the database has none. */
  accuracy_km?: number;
  asn?: number;
  as_org?: string;
  network: NetworkClass;
  /** User agent family, such as `Chrome` or `okhttp`; no version, which an update changes. */
  ua_family?: string;
  ua_os?: string;
  /** Builds of the databases that answered, such as `dbip-city-ipv4@2026-06-05`: part of the evidence. */
  geo_build?: string;
  asn_build?: string;
}

export interface EnrichedAccessEvent extends AccessEvent {
  enrichment: Enrichment;
}
