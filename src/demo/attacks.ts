import { tokenHash } from '../formats/hash.ts';
import { messageOf } from '../errors.ts';
import type { Call, Caller } from './caller.ts';
import { pause } from './pause.ts';
import { requests } from './table.ts';
import type { Timeline } from './timeline.ts';

/** An attack about to be carried out. */
export interface Attack {
  readonly id: 'overseas' | 'proxy' | 'drift';
  readonly title: string;
  /** How the attacker comes by the token, told when it has. */
  readonly story: string;
  /** Takes the token: copies a victim's, or asks the authorization server for one. */
  steal(): Promise<string>;
  readonly caller: Caller;
  /** Where the caller is, for the reader. */
  readonly from: string;
  readonly requests: readonly [AttackRequest, ...AttackRequest[]];
  /** Milliseconds between two requests. */
  readonly pace: number;
}

interface AttackRequest {
  readonly method: string;
  readonly path: string;
}

/** What came of an attack, as the attacker saw it. */
export interface AttackOutcome {
  readonly id: Attack['id'];
  readonly title: string;
  readonly token_hash: string;
  /** Requests that were answered with 2xx. */
  readonly through: number;
  /** When the first request was answered, epoch milliseconds; null where none was. */
  readonly began: number | null;
  /** Seconds from the first answer to the first 401; null where it never came. */
  readonly stopped_after_s: number | null;
}

/** An attacker that is not stopped gives up after this long. */
const PATIENCE = 20_000;

/**
 * Carries an attack out: takes the token and calls the gateway with it again and again until the first 401,
 * for at most {@link PATIENCE}.
 *
 * @param onToken learns of the token before it is used
 */
export async function carryOut(
  attack: Attack,
  {
    call,
    timeline,
    signal,
    onToken,
  }: { call: Call; timeline: Timeline; signal: AbortSignal; onToken: (token: string) => void },
): Promise<AttackOutcome> {
  const token = await attack.steal();
  onToken(token);
  const { id, title } = attack;
  const token_hash = tokenHash(token);
  timeline.say('attacker', 'stolen', attack.story, { attack: id, token_hash });
  let [through, began]: [number, number | null] = [0, null];
  const deadline = Date.now() + PATIENCE;
  for (let count = 0; Date.now() < deadline && !signal.aborted; count += 1) {
    const request = attack.requests[count % attack.requests.length] ?? attack.requests[0];
    const { status, at, challenge } = await call(token, request, attack.caller).catch((error: unknown) => ({
      status: 0,
      at: Date.now(),
      challenge: messageOf(error),
    }));
    const asked = `${request.method} ${request.path}`;
    if (began === null) {
      began = at;
      const by = `from ${attack.caller.address} (${attack.from}) as ${attack.caller.userAgent}`;
      timeline.say('attacker', 'first_request', `${asked} → ${status}, ${by}`, { attack: id, status });
    }
    if (status === 401) {
      const seconds = (at - began) / 1000;
      const error = /error="(\w+)"/.exec(challenge)?.[1] ?? '';
      const text = `${asked} → 401 ${error}: locked out ${seconds.toFixed(1)} s after the first request; ${requests(through)} got through`;
      timeline.say('attacker', 'first_401', text, { attack: id, status, seconds, through });
      return { id, title, token_hash, through, began, stopped_after_s: seconds };
    }
    if (status >= 200 && status < 300) through += 1;
    await pause(attack.pace, signal);
  }
  const why = signal.aborted ? 'is interrupted' : `gives up after ${PATIENCE / 1000} s`;
  const text = `${why} without having been stopped: ${requests(through)} got through`;
  timeline.say('attacker', 'not_stopped', text, { attack: id, through });
  return { id, title, token_hash, through, began, stopped_after_s: null };
}
