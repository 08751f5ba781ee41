import { z } from 'zod';
import { actionState } from '../../schemas/action.ts';
import { rfc3339 } from '../alerts/line.ts';
import type { TokenRow, TokenUse } from '../store/reads.ts';
import { instant } from './views.ts';

const text = z.string().optional();
const texts = z.array(z.string());

/** A token of the ledger. */
export const tokenView = z
  .object({
    token_id: z.string().describe('`jti` of the token, else its hash'),
    state: z
      .enum(['live', 'expired', 'revoked', 'recalled'])
      .describe('revoked: the authorization server said so; recalled: we asked for it, and it is proven'),
    iss: text,
    sub: text,
    client_id: text,
    sid: text,
    jti: text,
    token_hash: text,
    issued_at: instant.optional(),
    expires_at: instant.optional(),
    first_used: instant.optional(),
    last_used: instant.optional(),
    uses: z.number().describe('Requests it was used for'),
    ips: z.number().describe('Number of addresses it was used from'),
    countries: texts.describe('Countries it was used from'),
    asns: z.array(z.number()).describe('Autonomous systems it was used from'),
    ua_families: texts.describe('User agent families it was used with'),
    last_ip: text,
    last_country: text,
    last_city: text,
    last_asn: z.number().optional(),
    last_network: text,
    last_user_agent: text,
    scopes: texts.describe('Scopes it carried'),
    routes: texts.describe('Some of the routes it was used on'),
    revoked_at: instant.optional().describe('When the authorization server said it was revoked'),
    recalled_at: instant.optional().describe('When its recall was asked'),
    recall_state: actionState.optional(),
    recall_updated_at: instant.optional(),
  })
  .meta({ id: 'Token', description: 'What the ledger knows of a token' });

/** One use of a token. */
export const tokenUseView = z
  .object({
    event_id: z.string(),
    time: instant,
    request_id: text,
    gateway: text,
    ip: z.string(),
    country: text,
    city: text,
    asn: z.number().optional(),
    as_org: text,
    network: text.describe('Network class of the address'),
    user_agent: text,
    method: text,
    path: text,
    route: text,
    status: z.number().optional(),
  })
  .meta({ id: 'TokenUse', description: 'One request that a token was used for' });

const known = (epochMs: number | undefined) => (epochMs === undefined ? undefined : rfc3339(epochMs));

/** A ledger row with times as RFC 3339. */
export function toTokenView(row: TokenRow): z.infer<typeof tokenView> {
  return {
    ...row,
    issued_at: known(row.issued_at),
    expires_at: known(row.expires_at),
    first_used: known(row.first_used),
    last_used: known(row.last_used),
    revoked_at: known(row.revoked_at),
    recalled_at: known(row.recalled_at),
    recall_updated_at: known(row.recall_updated_at),
  };
}

/** A use with its time as RFC 3339. */
export function toTokenUseView(use: TokenUse): z.infer<typeof tokenUseView> {
  return { ...use, time: rfc3339(use.time) };
}
