import { LRUCache } from 'lru-cache';
import type { Action } from '../../schemas/action.ts';
import type { AuthorizationServerConfig } from '../../schemas/config-authorization-server.ts';
import { isRecallError, messageOf, RecallError } from '../errors.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Custody } from './custody.ts';
import type { Receipt, Responder } from './port.ts';
import { createProver } from './proof.ts';
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

export interface RevocationResponder extends Responder {
  /**
   * What is missing to revoke a token, in words for the person who can supply it; empty where nothing is.
   * While the store is away custody cannot be asked, and is not said to be missing.
   */
  missingFor(target: RevocationTarget): Promise<string[]>;
}

const REMEMBERED = 10_000;
const NOT_ASKED: Receipt = {
  state: 'failed',
  detail: 'not asked: custody does not hold the token (any more); it has expired, or was never logged raw',
};
const UNPROVEN: Receipt = {
  state: 'accepted',
  detail: 'the server took the revocation; not proven: introspection stayed away until the token expired',
};

type Prover = ReturnType<typeof createProver>;

/**
 * Revokes single access tokens at any authorization server by RFC 7009, and proves it by RFC 7662.
 * The request carries the token itself, so it takes a token in custody and a server configured for its issuer.
 */
export function createRevocationResponder({
  servers,
  custody,
  log,
}: RevocationResponderOptions): RevocationResponder {
  const provers = new Map<AuthorizationServerConfig, Prover>(
    servers.map((server) => [server, createProver(server, createTokenClient(server), log)]),
  );

  const serverOf = (iss: string | undefined): AuthorizationServerConfig | undefined =>
    servers.find((server) => (iss === undefined ? server.default : server.issuer === iss));

  /** Actions whose revocation a server took while the proof was still to come. */
  const taken = new LRUCache<string, true>({ max: REMEMBERED });

  async function execute(action: Action, signal: AbortSignal): Promise<Receipt> {
    const { action_id, iss, client_id: owner, token_hash, value } = action;
    if (action.handle !== 'token') {
      throw new RecallError('ERR_RESPONDER_REFUSED', `RFC 7009 revokes tokens, not a ${action.handle}`);
    }
    const server = serverOf(iss);
    const revokeAndProve = server === undefined ? undefined : provers.get(server);
    if (revokeAndProve === undefined) throw new RecallError('ERR_RESPONDER_REFUSED', missingServer(iss));
    const token = await custody.open(token_hash ?? value, iss);
    if (token === null) return taken.has(action_id) ? UNPROVEN : NOT_ASKED;
    return revokeAndProve({ token, owner, signal, onTaken: () => taken.set(action_id, true) });
  }

  return {
    kind: 'rfc7009',
    laneOf({ iss }) {
      const server = serverOf(iss);
      return { name: server?.issuer ?? 'none', concurrency: server?.concurrency ?? 1 };
    },
    execute,
    async missingFor({ iss, id }) {
      const missing: string[] = [];
      if (serverOf(iss) === undefined) missing.push(missingServer(iss));
      const token = await missingToken(custody, id, iss);
      if (token !== null) missing.push(token);
      return missing;
    },
  };
}

function missingServer(iss: string | undefined): string {
  return iss === undefined
    ? 'the log does not say which server issued the token, and no entry of authorization_servers has `default: true`'
    : `authorization_servers has no entry for issuer ${iss}`;
}

async function missingToken(custody: Custody, id: string, iss: string | undefined): Promise<string | null> {
  if (!custody.available) return 'raw tokens are not kept: custody has no key (set custody.key)';
  try {
    if ((await custody.open(id, iss)) !== null) return null;
    return 'the token itself: the gateway logs none (field `token`), only its hash or id, or it has expired, or several issuers use this jti (give the hash instead)';
  } catch (error) {
    if (isRecallError(error, 'ERR_CUSTODY_OPEN'))
      return `the token in custody cannot be opened: ${messageOf(error)}`;
    if (isRecallError(error, 'ERR_STORE_UNAVAILABLE')) return null;
    throw error;
  }
}
