import type { Random } from '../../src/demo/random.ts';
import type { Victim, VictimTokens } from './cast.ts';
import { BASE_SCOPE, MINUTE, type LineWriter, type UseOfToken } from './lines.ts';

export interface Scene {
  victim: Victim;
  tokens: VictimTokens;
  /** Where the thief calls from. */
  host: string;
  from: number;
  /** Milliseconds from the first to the last event of the stream. */
  span: number;
  random: Random;
  writer: LineWriter;
}

/** Enough for a baseline, wherever the theft falls. */
const HABITS = 12;
/** Share of the stream in which a victim is heard of that then falls silent. */
const HEARD = 0.2;
const APP = 'Shop/4.2 (Android 15; Pixel 8) okhttp/4.12.0';
const SCRIPTS = ['python-requests/2.32.3', 'curl/8.14.1', 'Go-http-client/2.0'] as const;
const SECOND = 1000;

/** Whether nothing is heard of the victim for hours before the theft, and nothing after. */
export const isSilent = ({ kind }: Victim) => kind !== 'replay' && kind !== 'refreshed';

/**
 * Writes what happens to a victim: an ordinary session, another one at another client next to it, and the theft.
 *
 * @returns the raw tokens that are misused
 */
export function playVictim(scene: Scene): string[] {
  const { victim, tokens, from, span, random, writer } = scene;
  const { sub } = victim;
  const sid = `session-${sub}`;
  const theft = Math.round(from + span * (0.35 + random.next() * 0.5));
  const mine: Omit<UseOfToken, 'time'> = {
    ...{ token: tokens.main, iat: from, sub, sid },
    ...{ address: victim.home, agent: victim.agent, method: 'GET', route: '/api/orders' },
  };
  writer.issued({ token: tokens.main, sub, client: 'web', sid, time: from });
  const until = isSilent(victim) ? from + span * HEARD : theft - MINUTE;
  for (let at = 0; at < HABITS; at += 1) {
    writer.use({ ...mine, time: Math.round(from + ((until - from) * at) / HABITS) });
  }
  const app = { token: tokens.neighbour, sid: `app-${sub}`, client: 'app', agent: APP } as const;
  writer.issued({ ...app, sub, time: from });
  for (const share of [0.1, 0.4, 0.7, 0.95]) {
    writer.use({ ...mine, ...app, time: Math.round(from + span * share) });
  }
  switch (victim.kind) {
    case 'replay':
    case 'refreshed':
    case 'left':
      return steal(scene, mine, theft);
    case 'escalation':
    case 'drift':
      return overreach(scene, mine, theft);
  }
}

/** A thief far away uses the token, in turn with the owner or long after, and may go on with a token of its own refresh. */
function steal(
  { victim, tokens, host, writer }: Scene,
  mine: Omit<UseOfToken, 'time'>,
  theft: number,
): string[] {
  const agent = SCRIPTS[victim.index % SCRIPTS.length] ?? SCRIPTS[0];
  const thief = { ...mine, address: host, agent };
  const owner = isSilent(victim) ? [] : [-30, 60];
  for (const later of owner) writer.use({ ...mine, time: theft + later * SECOND });
  for (const later of [0, 20, 120]) writer.use({ ...thief, time: theft + later * SECOND });
  if (tokens.second === undefined) return [tokens.main];
  const token = tokens.second;
  const iat = theft + 150 * SECOND;
  writer.issued({ token, sub: victim.sub, client: 'web', sid: mine.sid, time: iat, type: 'token_refreshed' });
  for (const later of [180, 240]) writer.use({ ...thief, token, iat, time: theft + later * SECOND });
  return [tokens.main, token];
}

/** A token with more scope than it was issued with, or one that was properly issued for what the grant never did. */
function overreach(
  { victim, tokens, from, span, writer }: Scene,
  mine: Omit<UseOfToken, 'time'>,
  time: number,
): string[] {
  const token = tokens.second ?? '';
  // A scope and routes of its own for each: what three users take to is a release.
  const unit = `unit-${victim.index}`;
  const scope = `${BASE_SCOPE} admin:${unit}`;
  const grant = {
    token,
    sub: victim.sub,
    client: 'web',
    sid: mine.sid,
    time: Math.round(from + span * HEARD),
  } as const;
  const use = { ...mine, token, iat: grant.time, scope };
  if (victim.kind === 'escalation') {
    writer.issued(grant);
    for (const later of [0, 30]) writer.use({ ...use, time: time + later * SECOND });
  } else {
    writer.issued({ ...grant, scope });
    writer.use({ ...use, time, route: `/admin/${unit}/export` });
    writer.use({ ...use, time: time + 40 * SECOND, method: 'DELETE', route: `/admin/${unit}/users` });
  }
  return [token];
}
