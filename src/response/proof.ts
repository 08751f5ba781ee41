import { setTimeout as sleep } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import type {
  AuthorizationServerConfig,
  ClientCredential,
} from '../../schemas/config-authorization-server.ts';
import type { Secret } from '../../schemas/secret.ts';
import { isRecallError, messageOf, RecallError } from '../errors.ts';
import type { Logger } from '../telemetry/log.ts';
import { createCircuit, type Circuit } from './circuit.ts';
import type { Attempt, Receipt } from './port.ts';
import type { TokenClient } from './token-client.ts';

/** Waits between looks at a token that is still active: nodes of one server learn of a revocation one by one. */
const LOOK_AGAIN = [200, 800];
/** How long the look before may hold up the revocation: the thief goes on meanwhile. */
const GLANCE = 2_000;
const REMEMBERED_OWNERS = 10_000;

export interface RecallOrder {
  token: Secret;
  /** Client the token was issued to, where the log says so. */
  owner: string | undefined;
  /** When an earlier attempt, of this worker or another, saw the token active, epoch milliseconds. */
  seenActiveAt: number | undefined;
  /** Some other live tokens of the owner: whether these eyes see such tokens is known by looking at one. */
  others: () => readonly Secret[];
  attempt: Attempt;
}

/**
 * Creates the function that revokes a token at one server and proves it.
 *
 * Neither answer proves anything by itself. A server says 200 to a revocation that it ignores, as when the client
 * does not own the token (RFC 7009 section 2.2), and `active: false` of a token that the asking client may not see
 * (RFC 7662 section 2.2). So the token is looked at before and after: seen active, then inactive, it is dead. One that
 * is inactive from the start, or could not be looked at before, counts as dead where the same eyes see another token
 * of that client active.
 *
 * @param circuit lets revocations through. Introspection has one of its own: where it is away, revocations go on
 */
export function createProver(
  config: AuthorizationServerConfig,
  client: TokenClient,
  circuit: Circuit,
  log: Logger,
) {
  /** Owners of tokens that our introspection credential has seen active. */
  const seen = new LRUCache<string, true>({ max: REMEMBERED_OWNERS });
  const eyes = createCircuit(`introspection at ${config.issuer}`, config.circuit);

  async function look({ token, owner }: RecallOrder, signal: AbortSignal): Promise<boolean | null> {
    const active = await eyes.run(() => client.introspect(token, config.credential, signal));
    if (active === true && owner !== undefined) seen.set(owner, true);
    return active;
  }

  /** What is seen before. Never in the way of the revocation: a fault here shows again afterwards. */
  async function glance(order: RecallOrder): Promise<boolean | null> {
    try {
      const active = await look(order, AbortSignal.any([order.attempt.signal, AbortSignal.timeout(GLANCE)]));
      if (active === true) order.attempt.onSeenActive(Date.now());
      return active;
    } catch (error) {
      if (!isRecallError(error)) throw error;
      log.debug({ code: error.code }, `before revocation: ${messageOf(error)}`);
      return null;
    }
  }

  async function lookUntilInactive(order: RecallOrder): Promise<boolean | null> {
    const { signal } = order.attempt;
    for (const wait of LOOK_AGAIN) {
      const active = await look(order, signal);
      if (active !== true) return active;
      await sleep(wait, undefined, { signal });
    }
    return look(order, signal);
  }

  /** Looks at other tokens of the owner until one is active, where it is not known yet whether these eyes see such. */
  async function tryEyes(order: RecallOrder): Promise<void> {
    const { owner, attempt } = order;
    if (owner === undefined) return;
    for (const token of order.others()) {
      if (seen.has(owner)) return;
      await look({ ...order, token }, attempt.signal);
    }
  }

  return async function revokeAndProve(order: RecallOrder): Promise<Receipt> {
    const { owner, seenActiveAt, attempt } = order;
    const credential = credentialFor(config, owner);
    // Seen once is enough: the next try goes straight to the revocation.
    const before = seenActiveAt === undefined ? await glance(order) : true;
    await circuit.run(() => {
      attempt.onAsked();
      return client.revoke(order.token, credential, attempt.signal);
    });
    attempt.onTaken();

    const taken = `${config.issuer} took the revocation from client ${credential.client_id}`;
    const unproven = (why: string): Receipt => ({
      state: 'accepted',
      detail: `${taken}; not proven: ${why}`,
    });
    const proven = (what: string): Receipt => ({
      state: 'confirmed',
      detail: `${taken}; introspection: ${what}`,
    });
    let after: boolean | null;
    try {
      after = await lookUntilInactive(order);
      if (after === false && before !== true) await tryEyes(order);
    } catch (error) {
      if (!isRecallError(error)) throw error;
      if (error.disposition !== 'retry') return unproven(`introspection was refused: ${messageOf(error)}`);
      const { code, retryAfter } = error;
      throw new RecallError(code, `${taken}; the proof waits: ${messageOf(error)}`, {
        cause: error,
        retryAfter,
      });
    }
    if (after === null) return unproven('the server has no introspection endpoint (RFC 7662)');
    if (after) {
      const detail = `${taken}, but the token is still active: ${whyAlive(order, credential)}`;
      return { state: 'failed', detail };
    }
    if (seenActiveAt !== undefined) {
      return proven(`active at ${new Date(seenActiveAt).toISOString()}, inactive after`);
    }
    if (before === true) return proven('active before, inactive after');
    if (owner !== undefined && seen.has(owner)) {
      return proven(before === false ? 'inactive already before' : 'inactive after');
    }
    return unproven(
      'introspection never showed the token active, so it was dead already, ' +
        `or client ${config.credential.client_id} may not see tokens of ${ownerName(owner)}`,
    );
  };
}

/** The credential that revokes: of the client that owns the token where configured, else the general one. */
function credentialFor(config: AuthorizationServerConfig, owner: string | undefined): ClientCredential {
  return config.clients.find(({ client_id }) => client_id === owner) ?? config.credential;
}

function whyAlive({ token, owner }: RecallOrder, credential: ClientCredential): string {
  if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token.reveal())) {
    return 'it is a JWT, which this server does not take back; deny it at the gateways and keep lifetimes short';
  }
  if (owner !== credential.client_id) {
    return `most servers let only the owner revoke a token, which is ${ownerName(owner)}; list its credential in \`clients\``;
  }
  return `the server ignored client ${credential.client_id}, which owns it; look at the log of the server`;
}

const ownerName = (owner: string | undefined): string =>
  owner === undefined ? 'a client the log does not name' : `client ${owner}`;
