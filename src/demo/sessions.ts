import { randomUUID } from 'node:crypto';
import type { AuthorizationServer } from './authorization-server.ts';
import type { Call, Reply } from './caller.ts';
import type { Cast, Device, Machine, Person } from './cast.ts';
import { pause } from './pause.ts';
import { createRandom, type Random } from './random.ts';
import { pathOf, routesFor, type Route } from './routes.ts';

/** A token in honest hands, at work. */
export interface Session {
  /** `user-07's phone`, `stock-sync`. */
  readonly who: string;
  readonly person?: Person | undefined;
  readonly device?: Device | undefined;
  readonly machine?: Machine | undefined;
  readonly scope: string;
  userAgent: string;
  /** Where it calls from, one of them at a time. */
  addresses: readonly [string, ...string[]];
  token: string;
  /** Requests answered so far. */
  requests: number;
  /** 401 answers to a token that nobody had stolen: each means that it was wrongly taken away. */
  refusals: number;
}

export interface SessionDeps {
  server: AuthorizationServer;
  call: Call;
  /** Learns of every token issued. */
  onToken: (token: string, session: Session) => void;
}

/** Signs everybody in, for real: people by authorization code and PKCE on each device, machines as themselves. */
export async function openSessions(cast: Cast, deps: SessionDeps, concurrency: number): Promise<Session[]> {
  const people = [...cast.people, cast.victims.abroad, cast.victims.proxied];
  const sessions = [
    ...people.flatMap((person) =>
      [person.laptop, person.phone].flatMap((device) =>
        device === undefined ? [] : [ofPerson(person, device)],
      ),
    ),
    ...[...cast.machines, cast.partner].map(ofMachine),
  ];
  const waiting = [...sessions];
  const lane = async () => {
    for (let session = waiting.shift(); session !== undefined; session = waiting.shift()) {
      await signIn(session, deps);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
  return sessions;
}

function ofPerson(person: Person, device: Device): Session {
  return {
    ...{ who: `${person.sub}'s ${device.kind}`, person, device },
    ...{ scope: device.scope, userAgent: device.userAgent, addresses: [device.addresses[0]] },
    ...{ token: '', requests: 0, refusals: 0 },
  };
}

function ofMachine(machine: Machine): Session {
  return {
    ...{ who: machine.clientId, machine },
    ...{ scope: machine.scope, userAgent: machine.userAgent, addresses: [machine.addresses[0]] },
    ...{ token: '', requests: 0, refusals: 0 },
  };
}

/** Gets a token, in a session of its own at the authorization server. */
export async function signIn(session: Session, { server, onToken }: SessionDeps): Promise<void> {
  const { person, device, machine, scope } = session;
  const tokens =
    person !== undefined && device !== undefined
      ? await server.signIn({
          client_id: device.clientId,
          subject: person.sub,
          scope,
          sessionId: randomUUID(),
        })
      : await server.clientCredentials({ client_id: machine?.clientId ?? '', scope });
  session.token = tokens.access_token;
  onToken(tokens.access_token, session);
  if (tokens.refresh_token !== undefined) onToken(tokens.refresh_token, session);
}

/** One request of the session, counted. */
export async function request(session: Session, route: Route, random: Random, call: Call): Promise<Reply> {
  const by = { userAgent: session.userAgent, address: random.pick(session.addresses) };
  const reply = await call(
    session.token,
    { method: route.method, path: pathOf(route, random.integer(1000, 9999)) },
    by,
  );
  session.requests += 1;
  return reply;
}

export interface Work {
  /** What went wrong, in words; empty when all is well. */
  readonly failures: readonly string[];
  /** Resolves when everybody has stopped, after the signal aborted. */
  done: Promise<void>;
}

/**
 * Lets every session work, each at its own pace, until `signal` aborts. Whoever meets a 401 signs in again and goes on,
 * as any app does.
 *
 * @param onRefused told of the 401, before the new sign-in, and of the first answer after it
 */
export function work(
  sessions: readonly Session[],
  options: SessionDeps & {
    seed: number;
    signal: AbortSignal;
    /** Milliseconds between two requests of a session. */
    pace(session: Session): readonly [number, number];
    onRefused(session: Session): void;
    onBack(session: Session, reply: Reply): void;
  },
): Work {
  const { signal } = options;
  const failures: string[] = [];
  const run = async (session: Session, random: Random) => {
    const [first, ...rest] = routesFor(session.scope);
    if (first === undefined) return;
    const [least, most] = options.pace(session);
    await pause(random.integer(0, most), signal);
    while (!signal.aborted) {
      const reply = await request(session, random.pick([first, ...rest]), random, options.call);
      if (reply.status === 401) {
        options.onRefused(session);
        await signIn(session, options);
        options.onBack(session, await request(session, first, random, options.call));
      } else if (reply.status >= 400) {
        failures.push(`${session.who} was answered ${reply.status}`);
      }
      await pause(random.integer(least, most), signal);
    }
  };
  const done = Promise.all(
    sessions.map((session, index) =>
      run(session, createRandom(options.seed + index)).catch((error: unknown) => {
        failures.push(`${session.who} stopped: ${error instanceof Error ? error.message : String(error)}`);
      }),
    ),
  ).then(() => undefined);
  return { failures, done };
}
