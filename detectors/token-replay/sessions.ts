import type { EnrichedAccessEvent } from '../../schemas/access-event.ts';
import type { Network } from '../../src/detection/client-context.ts';
import type { Standing } from '../../src/detection/standing.ts';
import { isBefore, originOf, useOf, type Origin, type Use } from '../../src/detection/use.ts';

const MAX_SESSIONS = 8;
const MAX_CONTEXTS = 6;
const MAX_OPENERS = 12;
/** Tokens of one context that are told apart, by first use: first ones do not depend on the order of arrival. */
const MAX_TOKENS = 8;

/** One device on one network, using the tokens of one session. */
export interface Context extends Origin {
  first: Use;
  last: Use;
  /** First use here of each further token, in order of time: who holds the refresh token goes on with new ones. */
  further: Use[];
}

/** What names a session: `sid`, else the token. */
interface SessionId {
  iss?: string | undefined;
  client_id?: string | undefined;
  sid?: string | undefined;
  jti?: string | undefined;
  token_hash?: string | undefined;
}

/** The uses of one session's tokens by one client, or of one token where no session is named. */
export interface Session {
  id: SessionId;
  contexts: Context[];
  standing: Standing[];
  /** Contexts that were claimed suspect and are no longer kept. */
  gone: number;
}

/** A device on a network that opened a session: what the subject signs in with is its own. */
export interface Opener extends Origin {
  time: number;
}

export interface State {
  sessions: Session[];
  /** Of sessions no longer kept. */
  retired: Opener[];
  /** Networks the subject has used, with the first time: `AS` numbers, else countries. */
  networks: Record<string, number>;
}

/** Name of a network in {@link State.networks}. */
export function networkName({ asn, country }: Pick<Network, 'asn' | 'country'>): string {
  return asn === undefined ? (country ?? '-') : `AS${asn}`;
}

/** The contexts of a session by first use: its opener is the owner. */
export function byFirstUse(contexts: readonly Context[]): Context[] {
  return contexts.toSorted((a, b) => (isBefore(a.first, b.first) ? -1 : 1));
}

/** Who opened the sessions of the subject, other than `session`. */
export function otherOpeners(state: State, session: Session): Opener[] {
  return [
    ...state.retired,
    ...state.sessions.flatMap((one) => (one === session ? [] : (openerOf(one) ?? []))),
  ];
}

function openerOf({ contexts }: Session): Opener | undefined {
  const [owner] = byFirstUse(contexts);
  if (owner === undefined) return undefined;
  return { network: owner.network, device: owner.device, time: owner.first.time };
}

/**
 * Whether the event belongs to the session: by `sid`, else by token. Tokens of two clients in one single sign-on
 * session are two sessions here.
 */
function isOfSession(id: SessionId, event: EnrichedAccessEvent): boolean {
  if (id.client_id !== event.client_id || id.iss !== event.iss || id.sid !== event.sid) return false;
  if (event.sid !== undefined) return true;
  return id.jti === event.jti && (event.jti !== undefined || id.token_hash === event.token_hash);
}

function newSession(state: State, { iss, client_id, sid, jti, token_hash }: EnrichedAccessEvent): Session {
  const id: SessionId = sid === undefined ? { iss, client_id, jti, token_hash } : { iss, client_id, sid };
  const session: Session = { id, contexts: [], standing: [], gone: 0 };
  state.sessions.push(session);
  if (state.sessions.length > MAX_SESSIONS) {
    const lastUse = ({ contexts }: Session) => Math.max(...contexts.map(({ last }) => last.time));
    const [oldest] = state.sessions.slice(0, -1).sort((a, b) => lastUse(a) - lastUse(b));
    state.sessions = state.sessions.filter((one) => one !== oldest);
    const opener = oldest === undefined ? undefined : openerOf(oldest);
    if (opener !== undefined) retire(state, opener);
  }
  return session;
}

/** Keeps who opened a session that is no longer kept, once for each pair of device and network. */
function retire(state: State, opener: Opener): void {
  const known = state.retired.find(
    ({ network, device }) =>
      networkName(network) === networkName(opener.network) && device.user_agent === opener.device.user_agent,
  );
  if (known !== undefined) {
    known.time = Math.min(known.time, opener.time);
    return;
  }
  state.retired.push(opener);
  if (state.retired.length > MAX_OPENERS) state.retired.shift();
}

function newContext(session: Session, event: EnrichedAccessEvent, use: Use): void {
  session.contexts.push({ ...originOf(event), first: use, last: use, further: [] });
  if (session.contexts.length <= MAX_CONTEXTS) return;
  // The owner stays; of the others the one that was active last least recently goes.
  const [owner, ...others] = byFirstUse(session.contexts);
  const [idle] = others.sort((a, b) => (isBefore(a.last, b.last) ? -1 : 1));
  session.contexts = session.contexts.filter((one) => one === owner || one !== idle);
  const gone = idle === undefined ? [] : [idle.first, ...idle.further].map(({ event_id }) => event_id);
  const claimed = session.standing.filter(({ suspect }) => gone.includes(suspect.event_id));
  if (claimed.length === 0) return;
  session.gone += 1;
  session.standing = session.standing.filter((one) => !claimed.includes(one));
}

const namesToken = ({ jti, token_hash }: Use) => jti !== undefined || token_hash !== undefined;
const isSameToken = (a: Use, b: Use) =>
  a.jti === b.jti && (a.jti !== undefined || a.token_hash === b.token_hash);

/** Takes up the use where it is the first of its token in the context. */
function recordToken(context: Context, use: Use): void {
  const firsts = [context.first, ...context.further];
  const known = firsts.find((one) => isSameToken(one, use));
  if (known !== undefined && !isBefore(use, known)) return;
  const sorted = [...firsts.filter((one) => one !== known), use].sort((a, b) => (isBefore(a, b) ? -1 : 1));
  const [first = use] = sorted;
  context.first = first;
  context.further = sorted
    .filter(namesToken)
    .slice(0, MAX_TOKENS)
    .filter((one) => one !== first);
}

/**
 * Adds a use to its session. First uses, of contexts and of their tokens, and last ones are all it keeps, so neither
 * the order in which uses arrive nor how often each does leaves a trace.
 *
 * @returns the session, or undefined where the event names neither session nor token
 */
export function recordUse(state: State, event: EnrichedAccessEvent): Session | undefined {
  if (event.sid === undefined && event.jti === undefined && event.token_hash === undefined) return undefined;
  const session = state.sessions.findLast((one) => isOfSession(one.id, event)) ?? newSession(state, event);
  const { ip, asn } = event.enrichment;
  const known = session.contexts.findLast(
    ({ network, device }) =>
      (asn === undefined ? network.ip === ip : network.asn === asn) &&
      network.city === event.enrichment.city &&
      network.class === event.enrichment.network &&
      device.user_agent === event.user_agent &&
      device.ja4 === event.ja4,
  );
  const use = useOf(event, known?.last ?? session.contexts[0]?.last);
  if (known === undefined) newContext(session, event, use);
  else {
    if (isBefore(known.last, use)) known.last = use;
    recordToken(known, use);
    if (known.first !== use) return session;
  }
  rememberNetwork(state, networkName(event.enrichment), event.time);
  return session;
}

function rememberNetwork(state: State, name: string, time: number): void {
  const known = state.networks[name];
  if (known !== undefined && known <= time) return;
  state.networks[name] = time;
  const names = Object.keys(state.networks);
  if (names.length <= MAX_OPENERS * 2) return;
  const newest = names.reduce((a, b) => ((state.networks[b] ?? 0) > (state.networks[a] ?? 0) ? b : a));
  state.networks = Object.fromEntries(Object.entries(state.networks).filter(([one]) => one !== newest));
}
