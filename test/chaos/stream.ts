import { createRandom, type Random } from '../../src/demo/random.ts';
import { dealTokens, madeUpToken, type Cast, type Person, type TheftKind } from './cast.ts';
import { createLineWriter, MINUTE, TOKEN_LIFE, type StreamRecord } from './lines.ts';
import { isSilent, playVictim } from './thefts.ts';

/** What the labels say of one victim. */
export interface Label {
  readonly sub: string;
  readonly kind: TheftKind;
  /** Raw tokens that must be revoked. */
  readonly accused: readonly string[];
  /** Raw tokens next to them that must not be. */
  readonly spared: readonly string[];
}

export interface LabelledStream {
  /** In the order of event time. */
  readonly records: readonly StreamRecord[];
  readonly labels: readonly Label[];
  /** Every raw token that is in any record: to be found on no disk. */
  readonly tokens: ReadonlySet<string>;
}

export interface StreamOptions {
  seed: number;
  /** Least number of events, of both logs. */
  events: number;
  issuer: string;
  /** Event time of the last event, epoch milliseconds. */
  end: number;
  cast: Cast;
  /** Real tokens, as many as `tokenRequests` asked for. */
  issued: readonly string[];
  /** Addresses that thieves call from. */
  hosts: readonly string[];
}

/** With the life of the tokens in use at its beginning it is shorter than the allowed lateness, so no order is too late. */
const SPAN = 240 * MINUTE;
const MOBILE_SHARE = 0.2;
const MACHINE_SHARE = 0.01;
const MACHINES = 5;
const REFUSED = 24;
const STRAGGLERS = 20;
/** Ordinary access events among all: the others are authorization events and what happens to victims. */
const ORDINARY_SHARE = 0.92;
const DAY = 1440 * MINUTE;

type Route = readonly [method: string, route: string];
const ROUTES: readonly [Route, ...Route[]] = [
  ['GET', '/api/profile'],
  ['GET', '/api/orders'],
  ['GET', '/api/orders/{id}'],
  ['POST', '/api/orders'],
];

/**
 * Builds the labelled stream of a run: ordinary people and machines, victims with their thieves, authorization events
 * for every token, some records that are no event, and a few events from the day before. The same options make the
 * same stream.
 */
export function buildStream(options: StreamOptions): LabelledStream {
  const { seed, end, cast } = options;
  const ordinary = Math.ceil(options.events * ORDINARY_SHARE);
  const random = createRandom(seed + 1);
  const from = end - SPAN;
  const writer = createLineWriter(options.issuer);
  const crowd: readonly Person[] = [...cast.ordinary, ...cast.victims.filter((one) => !isSilent(one))];
  const dealt = dealTokens(cast, options.issued);
  const mainTokens = new Map(cast.victims.map(({ sub, index }) => [sub, dealt[index]?.main]));
  const offsets = new Map(crowd.map(({ sub }) => [sub, random.integer(0, TOKEN_LIFE)]));

  const labels = cast.victims.map((victim): Label => {
    const tokens = dealt[victim.index];
    if (tokens === undefined) throw new Error(`no tokens for ${victim.sub}`);
    const host = options.hosts[victim.index % options.hosts.length] ?? '';
    const accused = playVictim({ victim, tokens, host, from, span: SPAN, random, writer });
    const all = [tokens.main, tokens.neighbour, ...(tokens.second === undefined ? [] : [tokens.second])];
    const spared = all.filter((token) => !accused.includes(token));
    return { sub: victim.sub, kind: victim.kind, accused, spared };
  });

  /** The token a person holds at `time`, told to the authorization log when it is first used. */
  function tokenAt({ sub }: Person, time: number) {
    const main = mainTokens.get(sub);
    if (main !== undefined) return { token: main, iat: from };
    const start = from - (offsets.get(sub) ?? 0);
    const count = Math.floor((time - start) / TOKEN_LIFE);
    const iat = start + count * TOKEN_LIFE;
    const token = madeUpToken(seed, sub, count);
    writer.issued({ token, sub, client: 'web', sid: `session-${sub}`, time: iat });
    return { token, iat };
  }

  const step = SPAN / Math.max(1, ordinary - 1);
  for (let at = 0; at < ordinary; at += 1) {
    const time = Math.round(from + at * step);
    if (random.chance(MACHINE_SHARE)) {
      writer.machine(`machine-${random.integer(1, MACHINES)}`, seed, time, from);
      continue;
    }
    const person = crowd[random.integer(0, crowd.length - 1)];
    if (person === undefined) break;
    const { sub, home, mobile, agent } = person;
    const [method, route] = random.pick(ROUTES);
    const address = random.chance(MOBILE_SHARE) ? mobile : home;
    writer.use({ ...tokenAt(person, time), sub, sid: `session-${sub}`, time, address, agent, method, route });
  }
  stragglers(options, writer, from - DAY, random);
  refused(options, writer, from, random);
  const records = writer.records.sort((a, b) => a.time - b.time || (a.id < b.id ? -1 : 1));
  return { records, labels, tokens: writer.tokens };
}

/** People of whom nothing is heard but one event of the day before, which comes when the others are through. */
function stragglers(
  { seed, cast }: StreamOptions,
  writer: ReturnType<typeof createLineWriter>,
  time: number,
  random: Random,
): void {
  const [like] = cast.ordinary;
  if (like === undefined) return;
  for (let at = 0; at < STRAGGLERS; at += 1) {
    const sub = `straggler-${at}`;
    const token = madeUpToken(seed, sub);
    const [method, route] = random.pick(ROUTES);
    const { home: address, agent } = like;
    const use = { token, iat: time, sub, sid: `session-${sub}`, time, address, agent, method, route };
    writer.use(use, 'late');
  }
}

/** Records that are no event, each with a raw token in it. */
function refused(
  { seed }: StreamOptions,
  writer: ReturnType<typeof createLineWriter>,
  from: number,
  random: Random,
): void {
  for (let at = 0; at < REFUSED; at += 1) {
    const token = madeUpToken(seed, 'refused', at);
    const time = from + random.integer(0, SPAN);
    const fields = { request_id: `refused-${at}`, time, client_ip: '203.0.113.9', token };
    const whole = JSON.stringify(
      at % 3 === 0 ? { ...fields, client_ip: 'nowhere' } : { ...fields, time: 'soon' },
    );
    writer.refused({
      stream: 'access',
      id: `refused-${at}`,
      time,
      token,
      line: at % 3 === 1 ? whole.slice(0, -1) : whole,
    });
  }
}
