import { createHash } from 'node:crypto';
import type { Cast, Device, Machine, Person } from './cast.ts';
import { createRandom, type Random } from './random.ts';
import { pathOf, routesFor } from './routes.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Access tokens of the past lived this long. */
const TOKEN_LIFETIME = HOUR;

/** The logs of one day, each in order of time. */
export interface Day {
  access: Record<string, unknown>[];
  authorization: Record<string, unknown>[];
}

/**
 * The two weeks before the demo: what the same people and machines did, generated, because detectors that know what is
 * usual need a past to know it from. Only hashes of tokens that never existed stand in it, all of them expired.
 *
 * @param now epoch milliseconds; the past ends some hours before it
 */
export function createHistory(
  cast: Cast,
  options: { seed: number; now: number; issuer: string; days: number },
): Day[] {
  const random = createRandom(options.seed ^ 0x9e3779b9);
  const people = [...cast.people, cast.victims.abroad, cast.victims.proxied];
  return Array.from({ length: options.days }, (_, index) => {
    const start = options.now - (options.days - index) * DAY;
    const day: Day = { access: [], authorization: [] };
    const context: Context = { random, issuer: options.issuer, day };
    for (const person of people) livePerson(person, start, context);
    for (const machine of [...cast.machines, cast.partner]) runMachine(machine, start, context);
    const byTime = (a: Record<string, unknown>, b: Record<string, unknown>) =>
      Number(a['time']) - Number(b['time']);
    day.access.sort(byTime);
    day.authorization.sort(byTime);
    return day;
  });
}

interface Context {
  random: Random;
  issuer: string;
  day: Day;
}

/** A day of a person: at the laptop once, with the phone, if there is one, an hour or two later. */
function livePerson(person: Person, start: number, context: Context): void {
  const { random } = context;
  const morning = start + random.integer(0, 12 * 60) * 60_000;
  useDevice(person, person.laptop, morning, context);
  if (person.phone !== undefined)
    useDevice(person, person.phone, morning + random.integer(70, 150) * 60_000, context);
}

function useDevice(person: Person, device: Device, at: number, context: Context): void {
  const { random } = context;
  const session = issue(
    {
      sub: person.sub,
      clientId: device.clientId,
      scope: device.scope,
      at,
      grant: 'authorization_code',
      sid: true,
    },
    context,
  );
  const address = random.chance(0.8) ? device.addresses[0] : (device.addresses[1] ?? device.addresses[0]);
  let time = at;
  for (let count = random.integer(2, 5); count > 0; count -= 1) {
    time += random.integer(2_000, 240_000);
    context.day.access.push(use(session, device, address, time, random));
  }
}

/** A day of a machine: a token every six hours, used a few times from one or two of its instances. */
function runMachine(machine: Machine, start: number, context: Context): void {
  const { random } = context;
  for (let run = 0; run < 4; run += 1) {
    const at = start + run * 5 * HOUR + random.integer(0, 30) * 60_000;
    const session = issue(
      { clientId: machine.clientId, scope: machine.scope, at, grant: 'client_credentials' },
      context,
    );
    for (let count = 0; count < 8; count += 1) {
      const address = machine.addresses[random.integer(0, machine.scalesOut ? 1 : 0)] ?? machine.addresses[0];
      context.day.access.push(use(session, machine, address, at + (count + 1) * 300_000, random));
    }
  }
}

interface Issued {
  claims: Record<string, unknown>;
  scope: string;
}

function issue(
  token: { sub?: string; clientId: string; scope: string; at: number; grant: string; sid?: boolean },
  { random, issuer, day }: Context,
): Issued {
  const token_hash = createHash('sha256')
    .update(`${token.clientId} ${token.sub ?? ''} ${token.at} ${random.next()}`)
    .digest('base64url');
  const claims = {
    iss: issuer,
    sub: token.sub,
    client_id: token.clientId,
    token_hash,
    sid: token.sid === true ? token_hash.slice(0, 22) : undefined,
    scope: token.scope,
    grant_type: token.grant,
    exp: Math.floor((token.at + TOKEN_LIFETIME) / 1000),
  };
  if (token.sub !== undefined) {
    const { iss, sub, client_id, scope } = claims;
    day.authorization.push({ time: token.at - 1, type: 'consent_granted', iss, sub, client_id, scope });
  }
  day.authorization.push({ time: token.at, type: 'token_issued', ...claims });
  return { claims: { ...claims, iat: Math.floor(token.at / 1000) }, scope: token.scope };
}

function use(
  session: Issued,
  by: { userAgent: string },
  address: string,
  time: number,
  random: Random,
): Record<string, unknown> {
  const [first, ...rest] = routesFor(session.scope);
  if (first === undefined) throw new Error(`no route takes the scope ${session.scope}`);
  const route = random.pick([first, ...rest]);
  return {
    time,
    client_ip: '127.0.0.1',
    forwarded_for: address,
    gateway: 'demo-gateway',
    method: route.method,
    path: pathOf(route, random.integer(1000, 9999)),
    route: route.path,
    status: route.method === 'POST' ? 201 : 200,
    user_agent: by.userAgent,
    token_type: 'Bearer',
    ...session.claims,
  };
}
