import { createHash } from 'node:crypto';
import { addressIn, COUNTRIES } from '../../src/demo/places.ts';
import { createRandom, type Random } from '../../src/demo/random.ts';

/**
 * What happens to a victim. replay: the token is used from a rented server, in turn with its owner. refreshed: so it
 * is, and the thief goes on with the token that a stolen refresh token got. left: it is used from a rented server hours
 * after its owner last did. escalation: a token carries more than was issued hours before. drift: a token is used for
 * what its grant, of which nothing was heard for hours, never did. Of the last three a worker that forgot the past
 * would find none.
 */
export type TheftKind = 'replay' | 'refreshed' | 'left' | 'escalation' | 'drift';

export interface Person {
  readonly sub: string;
  readonly home: string;
  readonly mobile: string;
  readonly agent: string;
}

export interface Victim extends Person {
  readonly kind: TheftKind;
  /** Position in the list of victims. */
  readonly index: number;
}

export interface Cast {
  readonly ordinary: readonly Person[];
  readonly victims: readonly Victim[];
}

export const CLIENTS = ['web', 'app'] as const;
export type ClientName = (typeof CLIENTS)[number];

const AGENTS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:142.0) Gecko/20100101 Firefox/142.0',
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15',
] as const;
/** In the proportion in which they are dealt out. */
const KINDS: readonly [TheftKind, ...TheftKind[]] = [
  ...(['replay', 'left', 'refreshed', 'escalation', 'left', 'drift', 'left'] as const),
];
const EVENTS_A_PERSON = 33;
const EVENTS_A_THEFT = 700;
/** Every kind at least twice. */
const LEAST_THEFTS = KINDS.length * 2;

function person(sub: string, random: Random): Person {
  const { homes, mobile } = random.pick(COUNTRIES);
  return {
    sub,
    home: addressIn(random.pick(homes), random),
    mobile: addressIn(mobile, random),
    agent: random.pick(AGENTS),
  };
}

/** The people of a run. A theft to every 21 people or so: a thief of many tokens has few of all. */
export function createCast(seed: number, events: number): Cast {
  const random = createRandom(seed);
  const thefts = Math.max(LEAST_THEFTS, Math.round(events / EVENTS_A_THEFT));
  const people = Math.max(thefts * 20, Math.round(events / EVENTS_A_PERSON));
  return {
    ordinary: Array.from({ length: people }, (_, at) => person(`user-${at}`, random)),
    victims: Array.from({ length: thefts }, (_, index) => ({
      ...person(`victim-${index}`, random),
      kind: KINDS[index % KINDS.length] ?? 'replay',
      index,
    })),
  };
}

/** Whether the victim has no other token than that of its session. */
const isOneToken = (kind: TheftKind) => kind === 'replay' || kind === 'left';

/** A real token to ask the authorization server for. */
export interface TokenRequest {
  readonly client: ClientName;
  readonly sub: string;
}

/** The real tokens of a victim, by what they are for. */
export interface VictimTokens {
  /** Of the session that is attacked. */
  readonly main: string;
  /** The token that is misused besides, or instead: of a refresh, with too much scope, of the drift. */
  readonly second?: string | undefined;
  /** Of another session of the same person, at another client. Nobody may touch it. */
  readonly neighbour: string;
}

/** The real tokens that a run needs: of everything that is stolen, and of what lies next to it. */
export function tokenRequests({ victims }: Cast): TokenRequest[] {
  return victims.flatMap(({ sub, kind }): TokenRequest[] => [
    { client: 'web', sub },
    { client: 'app', sub },
    ...(isOneToken(kind) ? [] : [{ client: 'web' as const, sub }]),
  ]);
}

/** Deals the tokens that were issued for {@link tokenRequests} out to the victims. */
export function dealTokens({ victims }: Cast, issued: readonly string[]): VictimTokens[] {
  const left = [...issued];
  const next = (): string => {
    const token = left.shift();
    if (token === undefined) throw new Error('the authorization server issued too few tokens');
    return token;
  };
  return victims.map(({ kind }) => ({
    main: next(),
    neighbour: next(),
    second: isOneToken(kind) ? undefined : next(),
  }));
}

/** A token that no server issued: custody seals it like any other, and nobody revokes it. */
export function madeUpToken(seed: number, ...parts: (string | number)[]): string {
  return createHash('sha256')
    .update(`chaos ${seed} ${parts.join(' ')}`)
    .digest('base64url');
}
