import { decodeJwt } from 'jose';
import type { Line } from './format.ts';

/** Claims that an access event takes over (RFC 7519, RFC 9068, RFC 8693, RFC 7800). */
const CLAIMS = [
  'iss',
  'sub',
  'jti',
  'sid',
  'scope',
  'aud',
  'iat',
  'exp',
  'nbf',
  'auth_time',
  'acr',
  'amr',
  'act',
  'cnf',
] as const;

/**
 * What the payload of a JWT access token says, unverified: fit only for a request that the gateway accepted,
 * since then the gateway verified it. Empty for opaque and malformed tokens. `azp` stands in for `client_id`,
 * `scp` (Entra, Okta) for `scope`.
 */
export function tokenClaims(token: string): Line {
  if (!token.startsWith('eyJ') || token.split('.', 4).length !== 3) return {};
  let payload: Line;
  try {
    payload = decodeJwt(token);
  } catch {
    return {};
  }
  const claims: Record<string, unknown> = {};
  for (const name of CLAIMS) {
    if (Object.hasOwn(payload, name)) claims[name] = payload[name];
  }
  claims['client_id'] = payload['client_id'] ?? payload['azp'];
  claims['scope'] ??= payload['scp'];
  return claims;
}
