import type { Action } from '../../schemas/action.ts';
import type { AuthorizationServerConfig } from '../../schemas/config-authorization-server.ts';
import { isRecallError, messageOf, RecallError } from '../errors.ts';
import type { Logger } from '../telemetry/log.ts';
import { createCircuit } from './circuit.ts';
import type { Custody, Holding } from './custody.ts';
import { NOWHERE, type Attempt, type Lane, type Receipt, type Responder } from './port.ts';
import { createProver } from './proof.ts';
import { expiredReceipt } from './receipts.ts';
import { createTokenClient } from './token-client.ts';

export interface RevocationResponderOptions {
  servers: readonly AuthorizationServerConfig[];
  custody: Custody;
  log: Logger;
}

/** A token that might be revoked. `id` is its hash, or its jti, which is unique within `iss` only. */
export interface RevocationTarget {
  iss?: string | undefined;
  client_id?: string | undefined;
  id: string;
}

export interface Revocability {
  /** What is missing to revoke the token, in words for the person who can supply it; empty where nothing is. */
  missing: string[];
  /** When the token expires by itself, epoch milliseconds, where that is known: for the action that recalls it. */
  expires_at?: number | undefined;
}

export interface RevocationResponder extends Responder {
  /** Whether a token can be revoked. While the store is away custody cannot be asked, and is not said to be missing. */
  lookUp(target: RevocationTarget): Promise<Revocability>;
}

const NOT_HELD: Receipt = {
  state: 'failed',
  detail:
    'not asked: custody does not hold the token; it was never logged raw, or its expiry was never logged and custody.default_ttl is over',
};

const noServer: Lane = {
  name: NOWHERE,
  concurrency: 1,
  circuit: createCircuit(NOWHERE, { failures: 1, pause: 0 }),
};

interface Server {
  readonly config: AuthorizationServerConfig;
  readonly lane: Lane;
  readonly revokeAndProve: ReturnType<typeof createProver>;
}

/**
 * Revokes single access tokens at any authorization server by RFC 7009, and proves it by RFC 7662.
 * The request carries the token itself, so it takes a token in custody and a server configured for its issuer.
 */
export function createRevocationResponder(options: RevocationResponderOptions): RevocationResponder {
  const { custody, log } = options;
  const servers = options.servers.map((config): Server => {
    const circuit = createCircuit(config.issuer, config.circuit);
    return {
      config,
      lane: { name: config.issuer, concurrency: config.concurrency, circuit },
      revokeAndProve: createProver(config, createTokenClient(config), circuit, log),
    };
  });

  const serverOf = (iss: string | undefined): Server | undefined =>
    servers.find(({ config }) => (iss === undefined ? config.default : config.issuer === iss));

  async function execute(action: Action, attempt: Attempt): Promise<Receipt> {
    const { iss, client_id: owner, token_hash, value, seen_active_at: seenActiveAt } = action;
    if (action.handle !== 'token') {
      throw new RecallError('ERR_RESPONDER_REFUSED', `RFC 7009 revokes tokens, not a ${action.handle}`);
    }
    const server = serverOf(iss);
    if (server === undefined) throw new RecallError('ERR_RESPONDER_REFUSED', missingServer(iss));
    const holding = await custody.open(token_hash ?? value, iss);
    switch (holding.state) {
      case 'held':
        return server.revokeAndProve({
          token: holding.token,
          ...{ owner, seenActiveAt, attempt },
          others: () => custody.others(holding.token, iss, owner),
        });
      case 'expired':
        return expiredReceipt(holding.expires_at);
      case 'unknown':
        return NOT_HELD;
    }
  }

  async function lookUp({ iss, id }: RevocationTarget): Promise<Revocability> {
    const missing: string[] = [];
    if (serverOf(iss) === undefined) missing.push(missingServer(iss));
    if (!custody.available) {
      return { missing: [...missing, 'raw tokens are not kept: custody has no key (set custody.key)'] };
    }
    try {
      const holding = await custody.open(id, iss);
      return holding.state === 'held'
        ? { missing, expires_at: holding.expires_at }
        : { missing: [...missing, missingToken(holding)] };
    } catch (error) {
      if (isRecallError(error, 'ERR_STORE_UNAVAILABLE')) return { missing };
      if (!isRecallError(error, 'ERR_CUSTODY_OPEN')) throw error;
      return { missing: [...missing, `the token in custody cannot be opened: ${messageOf(error)}`] };
    }
  }

  return {
    kind: 'rfc7009',
    lanes: [...servers.map(({ lane }) => lane), noServer],
    laneOf: ({ iss }) => serverOf(iss)?.lane ?? noServer,
    execute,
    lookUp,
  };
}

function missingServer(iss: string | undefined): string {
  return iss === undefined
    ? 'the log does not say which server issued the token, and no entry of authorization_servers has `default: true`'
    : `authorization_servers has no entry for issuer ${iss}`;
}

const missingToken = (holding: Exclude<Holding, { state: 'held' }>): string =>
  holding.state === 'expired'
    ? `nothing: the token expired by itself at ${new Date(holding.expires_at).toISOString()}`
    : 'the token itself: the gateway logs none (field `token`), only its hash or id, or it has expired, or several issuers use this jti (give the hash instead)';
