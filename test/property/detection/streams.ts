import fc from 'fast-check';
import type { StreamEvent } from '../../../src/detection/contract.ts';
import {
  access,
  anyGap,
  from,
  HOUR,
  ISSUER,
  ROUTES,
  SCOPES,
  shortGap,
  start,
  START,
  uses,
  withIds,
  type Draft,
  type From,
  type Use,
} from './world.ts';

/*
 * Streams as gateways see them: people with sessions on several devices and networks, tokens that are refreshed,
 * machines, the authorization server's events, peers; and thieves, drifts, violations and broken bindings among them.
 * They keep within what states have room for: `calm` ones with so little of everything that nothing is ever let go,
 * however long it rests; `busy` ones with much more than that, of which nothing rests for a lateness and comes back.
 */

const sessionOf = (
  subject: fc.Arbitrary<number>,
  origin: fc.Arbitrary<From>,
  ownUses: fc.Arbitrary<Use[]>,
  stolenUses: fc.Arbitrary<Use[]>,
  opening = start,
) =>
  fc.record({
    subject,
    client: fc.constantFrom('web', 'app'),
    start: opening,
    from: origin,
    uses: ownUses,
    /** The owner goes on from here with every so-manieth use. */
    second: fc.option(fc.tuple(origin, fc.constantFrom(3, 5))),
    named: fc.constantFrom(true, true, false),
    scope: fc.subarray([...SCOPES], { minLength: 1 }),
    // Scopes that the authorization server says it issued; null where it logs none.
    issued: fc.option(fc.subarray([...SCOPES]), { freq: 3 }),
    refreshed: fc.option(fc.integer({ min: HOUR, max: 6 * HOUR })),
    bound: fc.constantFrom(false, false, false, true),
    thief: fc.option(
      fc.record({ after: fc.nat(20), from: origin, uses: stolenUses, scope: fc.subarray([...SCOPES]) }),
    ),
  });
type Session = ReturnType<typeof sessionOf> extends fc.Arbitrary<infer S> ? S : never;

const machine = fc.record({
  start,
  from,
  uses: uses(anyGap, 3, 25),
  scope: fc.subarray([...SCOPES], { minLength: 1 }),
});
const consent = fc.record({
  start,
  subject: fc.nat(2),
  client: fc.constantFrom('web', 'app'),
  scope: fc.subarray([...SCOPES]),
});
const peer = fc.record({ start, from, route: fc.nat(ROUTES.length - 1), scope: fc.subarray([...SCOPES]) });

function eventsOfSession(one: Session, number: number): Draft[] {
  const events: Draft[] = [];
  const sub = `user-${one.subject}`;
  const whose = { sub, client_id: one.client, ...(one.named && { sid: `session-${number}` }) };
  // Without a session to tie them together, tokens are not refreshed: each would be a session of its own.
  const period = one.named ? (one.refreshed ?? Infinity) : Infinity;
  const tokenAt = (time: number) => {
    const turn = period === Infinity ? 0 : Math.min(2, Math.floor((time - one.start) / period));
    return {
      jti: `token-${number}-${turn}`,
      iat: START + one.start + (turn === 0 ? 0 : turn * period),
      turn,
    };
  };
  const issued = new Set<number>();
  function issue(time: number): object {
    const { jti, iat, turn } = tokenAt(time);
    if (one.issued !== null && !issued.has(turn)) {
      issued.add(turn);
      const type = turn === 0 ? 'token_issued' : 'token_refreshed';
      const scope = [...one.issued].sort();
      events.push({ kind: 'authorization', type, time: iat, iss: ISSUER, ...whose, jti, scope });
    }
    return { ...whose, jti, iat, scope: [...one.scope].sort(), ...(one.bound && { cnf: { jkt: 'key-1' } }) };
  }
  let time = one.start;
  one.uses.forEach((each, index) => {
    time += each.gap;
    const where = one.second !== null && index % one.second[1] === 2 ? one.second[0] : one.from;
    events.push(
      access(START + time, where, each, { ...issue(time), ...(one.bound && { dpop: { jkt: 'key-1' } }) }),
    );
    if (one.thief === null || one.thief.after !== index) return;
    let stolen = time;
    for (const theft of one.thief.uses) {
      stolen += theft.gap;
      const more = one.thief.scope.length > 0 && { scope: [...one.thief.scope].sort() };
      events.push(
        access(START + stolen, one.thief.from, theft, { ...issue(stolen), ...more, dpop: { jkt: 'key-2' } }),
      );
    }
  });
  return events;
}

/** A stream of such events. */
const streamOf = (sessions: fc.Arbitrary<Session[]>, crowds = [70]): fc.Arbitrary<StreamEvent[]> =>
  fc
    .record({
      sessions,
      machines: fc.array(machine, { maxLength: 2 }),
      consents: fc.array(consent, { maxLength: 4 }),
      // More than are counted one by one, now and then.
      peers: fc.oneof(
        { weight: 2, arbitrary: fc.array(peer, { maxLength: 12, size: 'max' }) },
        ...crowds.map((minLength) => fc.array(peer, { minLength, maxLength: minLength + 30, size: 'max' })),
      ),
    })
    .map(({ sessions: all, machines, consents, peers }) => {
      const drafts: Draft[] = [
        ...all.flatMap(eventsOfSession),
        ...machines.flatMap((one, number) => {
          let time = START + one.start;
          const client = {
            sub: `machine-${number}`,
            client_id: `machine-${number}`,
            jti: `machine-token-${number}`,
          };
          return one.uses.map((each) =>
            access((time += each.gap), one.from, each, { ...client, scope: [...one.scope].sort() }),
          );
        }),
        ...consents.map(({ subject, client, scope, ...one }): Draft => ({
          kind: 'authorization',
          type: 'consent_granted',
          time: START + one.start,
          iss: ISSUER,
          sub: `user-${subject}`,
          client_id: client,
          scope: [...scope].sort(),
        })),
        ...peers.map((one, number) =>
          access(
            START + one.start,
            one.from,
            { address: 1, route: one.route, method: 'GET', status: 200 },
            {
              sub: `peer-${number}`,
              client_id: 'web',
              jti: `peer-token-${number}`,
              scope: [...one.scope].sort(),
            },
          ),
        ),
      ];
      return drafts
        .map((draft, index) => ({
          ...draft,
          event_id: `event-${String((index * 7919) % 10_007).padStart(5, '0')}`,
        }))
        .sort((a, b) => a.time - b.time || (a.event_id < b.event_id ? -1 : 1));
    });

/** Three people with at most six sessions each. */
export const calm = streamOf(
  fc
    .array(sessionOf(fc.nat(2), from, uses(anyGap, 5, 40), uses(anyGap, 1, 6)), {
      minLength: 3,
      maxLength: 14,
      size: 'max',
    })
    .map((all) => [0, 1, 2].flatMap((subject) => all.filter((one) => one.subject === subject).slice(0, 6))),
);

/** One person with up to 32 short sessions in two days, from a few places and devices. */
export const busy = streamOf(
  fc
    .array(from, { minLength: 2, maxLength: 4 })
    .chain((origins) =>
      fc.array(
        sessionOf(
          fc.constant(0),
          fc.constantFrom(...origins),
          uses(shortGap, 2, 6),
          uses(shortGap, 1, 4),
          fc.integer({ min: 0, max: 48 * HOUR }),
        ),
        { minLength: 16, maxLength: 32, size: 'max' },
      ),
    ),
);

/** One person with a few sessions that meet within two hours, and some on the day before. */
export const dense = streamOf(
  fc.array(from, { minLength: 2, maxLength: 4 }).chain((origins) =>
    fc.array(
      sessionOf(
        fc.constant(0),
        fc.constantFrom(...origins),
        uses(shortGap, 1, 6),
        uses(shortGap, 1, 4),
        fc.tuple(fc.constantFrom(0, 30 * HOUR), fc.nat(2 * HOUR)).map(([day, offset]) => day + offset),
      ),
      { minLength: 2, maxLength: 6, size: 'max' },
    ),
  ),
  [],
);

const member = fc.record({
  home: fc.constantFrom(0, 1, 5),
  device: fc.constantFrom(0, 4),
  usual: fc.array(fc.nat(20 * HOUR), { minLength: 5, maxLength: 6 }),
  /** When a server in Singapore uses the token: a backend of many users, or a thief. */
  relayed: fc.option(fc.nat(10 * HOUR), { freq: 2 }),
  /** When it takes to something sensitive and new: a release, or a drift. */
  released: fc.option(fc.nat(10 * HOUR), { freq: 2 }),
});

/** The users of one client, what many of whom take to is nothing that tells of one. */
export const crowd: fc.Arbitrary<StreamEvent[]> = fc
  .array(member, { minLength: 6, maxLength: 90, size: 'max' })
  .map((members) =>
    withIds(
      members.flatMap(({ home, device, usual, relayed, released }, number): Draft[] => {
        const whose = {
          sub: `user-${number}`,
          client_id: 'web',
          sid: `session-${number}`,
          jti: `token-${number}`,
        };
        const at: From = { place: home, address: 1, device };
        const server: From = { place: 6, address: 1, device: 5 };
        const day = START + 26 * HOUR;
        const ordinary: Omit<Use, 'gap'> = { address: 1, route: 0, method: 'GET', status: 200 };
        const sensitive = { ...ordinary, route: 5 };
        const scope = ['orders:read'];
        return [
          ...usual.map((time) => access(START + time, at, ordinary, { ...whose, scope })),
          ...(relayed === null ? [] : [access(day + relayed, server, ordinary, { ...whose, scope })]),
          ...(released === null
            ? []
            : [access(day + released, at, sensitive, { ...whose, scope: ['admin:write', ...scope] })]),
        ];
      }),
    ),
  );
