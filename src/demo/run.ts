import { setMaxListeners } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tokenHash } from '../formats/hash.ts';
import type { Logger } from '../telemetry/log.ts';
import { carryOut, type AttackOutcome } from './attacks.ts';
import { createCall } from './caller.ts';
import { createCast, type Cast } from './cast.ts';
import { createHistory } from './history.ts';
import { createNarrator, type Narrator } from './narrator.ts';
import { behaveOddly } from './oddities.ts';
import { pause } from './pause.ts';
import { planAttacks } from './plan.ts';
import { introduce, invite, reportFromClickHouse, reportVerdict } from './report.ts';
import { openSessions, work, type Session, type SessionDeps } from './sessions.ts';
import { createTimeline, type Timeline } from './timeline.ts';
import { judge, type Verdict } from './verdict.ts';
import { startWorld, type World } from './world.ts';

export interface DemoOptions {
  /** Ordinary users; the two whose tokens are stolen come on top. */
  users: number;
  seed: number;
  /** Where data goes and stays; absent: a temporary directory, removed at the end unless serving. */
  dataDir?: string | undefined;
  /** Keep everything up after the verdict, until `signal` aborts. */
  serve: boolean;
  json: boolean;
  colour: boolean;
  columns: number;
  write: (line: string) => void;
  signal: AbortSignal;
  log: Logger;
  /** Learns of every token issued; for tests that look for them where they must not be. */
  onToken?: ((token: string) => void) | undefined;
}

/** Longest time until the verdict, in milliseconds: a demo that hangs has failed. */
const DEADLINE = 110_000;
const STOP_DEADLINE = 20_000;
const HISTORY_DAYS = 14;
const WARM_UP = 5_000;
const BETWEEN_ATTACKS = 1_500;
const AFTERMATH = 8_000;
const OWNERS_DEADLINE = 15_000;

/**
 * Runs the demo: starts the system, lets everybody work, attacks it three times and judges what happened.
 *
 * @returns the verdict, or null where it was interrupted or took too long
 * @throws RecallError where a part of the system can't start
 */
export async function runDemo(options: DemoOptions): Promise<Verdict | null> {
  const timeline = createTimeline(options);
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'token-recall-demo-')));
  const temporary = options.dataDir === undefined && !options.serve;
  const deadline = AbortSignal.timeout(DEADLINE);
  const signal = AbortSignal.any([options.signal, deadline]);
  const narrator = createNarrator(timeline);
  introduce(timeline);
  const starting = startWorld({
    dataDir,
    log: options.log,
    observer: narrator,
    started: (part) => timeline.say('setup', 'started', part),
  });
  try {
    const performed = starting.then(async (world) => {
      const verdict = await perform({ ...options, signal, timeline, narrator, world });
      return { world, verdict };
    });
    const outcome = await Promise.race([performed, aborted(signal)]);
    if (outcome === undefined) {
      const why = deadline.aborted ? `no verdict within ${DEADLINE / 1000} s` : 'interrupted';
      timeline.say('result', 'interrupted', `The demo was stopped: ${why}.`);
      return null;
    }
    if (options.serve) {
      invite(timeline, { dataDir, world: outcome.world });
      await aborted(options.signal);
    }
    return outcome.verdict;
  } finally {
    await stopInTime(starting);
    if (temporary) await rm(dataDir, { recursive: true, force: true });
  }
}

/** Stops what has started, and waits for it, but not for ever. */
async function stopInTime(starting: Promise<World>): Promise<void> {
  const stopped = new AbortController();
  const stopping = starting.then(
    (world) => world.stop(),
    () => undefined, // It never started, and has cleaned up after itself.
  );
  await Promise.race([stopping.finally(() => stopped.abort()), pause(STOP_DEADLINE, stopped.signal)]);
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}

interface Stage extends DemoOptions {
  timeline: Timeline;
  narrator: Narrator;
  world: World;
}

async function perform(stage: Stage): Promise<Verdict> {
  const { timeline, narrator, world, seed } = stage;
  const cast = createCast(stage.users, seed);
  await teach(stage, cast);
  const historyAlerts = narrator.alerts().length;

  const deps: SessionDeps = {
    server: world.server,
    call: createCall(world.gateway.url),
    onToken: (token) => stage.onToken?.(token),
  };
  const sessions = await openSessions(cast, deps, 6);
  const people = cast.people.length + 2;
  const text = `${people} people signed in on ${sessions.filter(({ person }) => person).length} devices (authorization code with PKCE), ${cast.machines.length + 1} machine clients as themselves; all go to work`;
  timeline.say('users', 'signed_in', text, { people, sessions: sessions.length });

  const { attacks, stolen, failures } = await attackWhileAllWork(stage, cast, sessions, deps);
  await world.shipper.flush();
  await world.worker.idle();

  // Who still holds a stolen token shares it with a thief: that is for the attack to be judged by.
  const unshared = sessions.filter(({ token }) => !stolen.has(tokenHash(token)));
  const honest = await Promise.all(
    unshared.map(async (session) => ({
      who: session.who,
      owner: session.person?.sub ?? session.who,
      machine: session.machine !== undefined,
      token_hash: tokenHash(session.token),
      active: await world.isActive(session.token),
      refusals: session.refusals,
    })),
  );
  const verdict = judge({
    ...{ attacks, honest, historyAlerts, failures },
    ...{ alerts: narrator.alerts(), receipts: narrator.receipts() },
  });
  await reportFromClickHouse(timeline, { world, attacks });
  reportVerdict(timeline, verdict, attacks);
  return verdict;
}

/** Pushes two weeks of history, day by day. */
async function teach({ timeline, narrator, world, seed }: Stage, cast: Cast): Promise<void> {
  const days = createHistory(cast, {
    seed,
    now: Date.now(),
    issuer: world.server.issuer,
    days: HISTORY_DAYS,
  });
  let [requests, tokens] = [0, 0];
  for (const day of days) {
    await world.shipper.push('authorization', day.authorization);
    await world.shipper.push('access', day.access);
    requests += day.access.length;
    tokens += day.authorization.filter(({ type }) => type === 'token_issued').length;
  }
  const text = `took in ${HISTORY_DAYS} days of ordinary history to learn from: ${requests} requests with ${tokens} tokens; ${narrator.findings()} findings, ${narrator.alerts().length} alerts`;
  timeline.say('setup', 'history', text, { requests, tokens, findings: narrator.findings() });
}

/** Everybody works, some of them oddly, while one attack after the other is carried out. */
async function attackWhileAllWork(
  { timeline, world, seed, signal, onToken }: Stage,
  cast: Cast,
  sessions: readonly Session[],
  deps: SessionDeps,
): Promise<{ attacks: AttackOutcome[]; stolen: ReadonlySet<string>; failures: string[] }> {
  /** Hashes of the stolen tokens. */
  const stolen = new Set<string>();
  const closing = new AbortController();
  const working = AbortSignal.any([signal, closing.signal]);
  setMaxListeners(0, working); // Every session that pauses listens.
  const victims = [cast.victims.abroad, cast.victims.proxied];
  const isVictim = ({ person, device }: Session) =>
    device?.kind === 'laptop' && victims.some((victim) => victim === person);
  const shift = work(sessions, {
    ...deps,
    seed,
    signal: working,
    pace: (session) => (isVictim(session) ? [700, 1_300] : session.machine ? [800, 1_600] : [1_500, 4_000]),
    onRefused: (session) => {
      const expected = stolen.has(tokenHash(session.token));
      if (!expected) session.refusals += 1;
      const why = expected ? 'the recalled token is dead for its owner too' : 'its token was taken away';
      timeline.say('owner', 'refused', `${session.who} → 401: ${why}; signs in again`, {
        who: session.who,
        expected,
      });
    },
    onBack: (session, { status }) =>
      timeline.say('owner', 'back', `${session.who} goes on with a new token → ${status}`, {
        who: session.who,
        status,
      }),
  });
  const oddities = behaveOddly(sessions, { call: deps.call, timeline, seed, signal: working });
  const attacks: AttackOutcome[] = [];
  await pause(WARM_UP, working);
  const plan = planAttacks(cast, sessions, { server: world.server, seed });
  for (const [index, attack] of plan.entries()) {
    if (signal.aborted) break;
    timeline.heading(`Attack ${index + 1} of ${plan.length}: ${attack.title}`);
    const outcome = await carryOut(attack, {
      ...{ call: deps.call, timeline, signal: working },
      onToken: (token) => {
        onToken?.(token);
        stolen.add(tokenHash(token));
      },
    });
    attacks.push(outcome);
    if (outcome.stopped_after_s !== null) await ownersBack(sessions, stolen, working);
    await pause(BETWEEN_ATTACKS, working);
  }
  await oddities;
  // What they do next is what would be held against them.
  await pause(AFTERMATH, working);
  closing.abort();
  await shift.done;
  return { attacks, stolen, failures: [...shift.failures] };
}

/** Waits until no session holds a recalled token any more. */
async function ownersBack(
  sessions: readonly Session[],
  stolen: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<void> {
  const deadline = Date.now() + OWNERS_DEADLINE;
  const waits = () => sessions.some(({ token }) => stolen.has(tokenHash(token)));
  while (waits() && Date.now() < deadline && !signal.aborted) await pause(100, signal);
}
