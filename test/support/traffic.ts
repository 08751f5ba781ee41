import { addressIn, COUNTRIES, SINGAPORE } from '../../src/demo/places.ts';
import { createRandom } from '../../src/demo/random.ts';
import { tokenHash } from '../../src/formats/hash.ts';

export interface TrafficOptions {
  events: number;
  users: number;
  seed: number;
  /** Event time of the first and of the last event, epoch milliseconds. */
  from: number;
  to: number;
  issuer: string;
}

const BROWSERS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:142.0) Gecko/20100101 Firefox/142.0',
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
  'Shop/4.2 (Android 15; Pixel 8) okhttp/4.12.0',
] as const;
type Route = readonly [method: string, path: string];
const ROUTES: readonly [Route, ...Route[]] = [
  ['GET', '/api/profile'],
  ['GET', '/api/orders'],
  ['GET', '/api/orders/1042'],
  ['POST', '/api/orders'],
];
const TOKEN_LIFETIME = 3_600_000;

/**
 * Ordinary traffic, in time order: users at home, each with one device, a session and a token an hour.
 * The same options make the same lines.
 *
 * @returns lines of a canonical access log, without line ends
 */
export function* ordinaryTraffic(options: TrafficOptions): Generator<string, void, undefined> {
  const random = createRandom(options.seed);
  const users = Array.from({ length: options.users }, (_, at) => {
    const { homes } = random.pick(COUNTRIES);
    return { sub: `user-${at}`, ip: addressIn(random.pick(homes), random), agent: random.pick(BROWSERS) };
  });
  const step = (options.to - options.from) / Math.max(1, options.events - 1);
  for (let at = 0; at < options.events; at += 1) {
    const user = users[random.integer(0, users.length - 1)];
    if (user === undefined) return;
    const time = Math.round(options.from + at * step);
    const iat = Math.floor(time / TOKEN_LIFETIME) * TOKEN_LIFETIME;
    const [method, path] = random.pick(ROUTES);
    yield JSON.stringify({
      time: new Date(time).toISOString(),
      request_id: `${options.seed}-${at}`,
      gateway: 'edge-1',
      client_ip: user.ip,
      method,
      path,
      status: 200,
      user_agent: user.agent,
      token_hash: tokenHash(`${options.seed} ${user.sub} ${iat}`),
      iss: options.issuer,
      sub: user.sub,
      client_id: 'web',
      sid: `session-${user.sub}`,
      scope: 'orders:read orders:write profile:read',
      iat: iat / 1000,
      exp: (iat + TOKEN_LIFETIME) / 1000,
    });
  }
}

/**
 * Steals the tokens of some users: half a minute after every so-manieth event, its token is used from a rented server
 * in Singapore, twice.
 *
 * @param options those of the traffic the thefts are planted in
 * @param thefts how many
 */
export function plantedThefts(options: TrafficOptions, thefts: number) {
  const random = createRandom(options.seed + 1);
  const every = Math.floor(options.events / (thefts + 1));
  let at = 0;
  return {
    /** Lines to write behind `line`, with line ends; mostly none. */
    next(line: string): string {
      at += 1;
      if (at % every !== 0 || at / every > thefts) return '';
      const event = JSON.parse(line) as Record<string, unknown> & { time: string };
      const thief = { client_ip: addressIn(SINGAPORE, random), user_agent: 'python-requests/2.32.3' };
      return [30_000, 31_000]
        .map((later, index) => {
          const time = new Date(Date.parse(event.time) + later).toISOString();
          return `${JSON.stringify({ ...event, ...thief, time, request_id: `theft-${at}-${index}` })}\n`;
        })
        .join('');
    },
  };
}
