import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { detectors } from '../../../detectors/registry.ts';
import type { NetworkClass } from '../../../schemas/access-event.ts';
import { configureDetectors } from '../../../src/detection/configure.ts';
import type { AnyDetector, StreamEvent } from '../../../src/detection/contract.ts';
import { createDetection } from '../../../src/detection/runtime.ts';

const START = Date.UTC(2026, 0, 20, 9);
const HOUR = 3_600_000;

const place = (
  ip: string,
  country: string,
  city: string,
  at: [number, number],
  asn: number,
  network: NetworkClass,
) => ({
  ip,
  country,
  city,
  latitude: at[0],
  longitude: at[1],
  asn,
  network,
});
const home = place('192.0.2.10', 'FR', 'Paris', [48.86, 2.35], 64501, 'residential');
const proxy = place('192.0.2.99', 'FR', 'Lyon', [45.76, 4.84], 64502, 'residential');
const abroad = place('198.51.100.10', 'JP', 'Tokyo', [35.68, 139.69], 64510, 'residential');
const hosting = place('203.0.113.10', 'SG', 'Singapore', [1.35, 103.82], 64520, 'hosting');
const laptop = { ua: 'Mozilla/5.0 (Macintosh) Chrome/126.0', family: 'Chrome', os: 'macOS' };
const updated = { ...laptop, ua: 'Mozilla/5.0 (Macintosh) Chrome/127.0' };
const script = { ua: 'python-requests/2.32', family: 'python-requests' };
// No more than a session keeps: order may matter for what a full history has dropped.
const contexts = [
  [home, laptop],
  [home, updated],
  [proxy, script],
  [proxy, updated],
  [abroad, laptop],
  [hosting, laptop],
] as const;

const scopes = fc.subarray(['admin:write', 'orders:read', 'orders:write'], { minLength: 1 });
// Peers are counted across keys, as far as they have arrived, so each subject is the only one of its client here.
const owner = fc.constantFrom(
  { sub: 'user-1', client_id: 'client-1' },
  { sub: undefined, client_id: 'client-2', grant_type: 'client_credentials' },
);
const time = fc.integer({ min: 0, max: 6 * HOUR });

const access = fc
  .record({
    time,
    owner,
    context: fc.constantFrom(...contexts),
    session: fc.constantFrom('1', '2'),
    scope: scopes,
    route: fc.constantFrom('/orders', '/admin/users', '/admin/export', '/profile'),
    status: fc.constantFrom(200, 200, 200, 403),
  })
  .map(({ time: offset, owner: who, context: [where, device], session, ...rest }) => ({
    kind: 'access' as const,
    time: START + offset,
    ...who,
    iss: 'https://as.example',
    jti: `token-${session}`,
    sid: `session-${session}`,
    iat: START - HOUR,
    client_ip: where.ip,
    method: 'GET',
    user_agent: device.ua,
    ...rest,
    scope: ['admin:write', 'orders:read'].slice(Number(session) - 1),
    enrichment: { ...where, ua_family: device.family, ...('os' in device && { ua_os: device.os }) },
  }));

const authorization = fc
  .record({ time, owner, scope: scopes, session: fc.constantFrom('1', '2', undefined) })
  .map(({ time: offset, owner: who, scope, session }) => ({
    kind: 'authorization' as const,
    type: session === undefined ? ('consent_granted' as const) : ('token_issued' as const),
    time: START - HOUR + offset,
    ...who,
    iss: 'https://as.example',
    jti: session === undefined ? undefined : `token-${session}`,
    scope,
  }));

const stream: fc.Arbitrary<StreamEvent[]> = fc
  .array(fc.oneof({ weight: 5, arbitrary: access }, { weight: 1, arbitrary: authorization }), {
    minLength: 1,
    maxLength: 30,
  })
  .map((events) =>
    events
      .toSorted((a, b) => a.time - b.time)
      .map(
        (event, index) => ({ ...event, event_id: `event-${String(index).padStart(3, '0')}` }) as StreamEvent,
      ),
  );

const options = {
  'scope-drift': {
    learning_events: 3,
    learning_days: 0,
    routes: [{ route: '/admin/*', scopes: ['admin:read'] }],
  },
};

function run(events: readonly StreamEvent[], registry: readonly AnyDetector[] = detectors) {
  const { configured } = configureDetectors(registry, options);
  const detection = createDetection({
    detectors: configured,
    maxKeys: 1000,
    onError: (_, __, error) => {
      throw error;
    },
  });
  const all = events.flatMap((event) => detection.process(event));
  const latest = new Map(all.map((finding) => [finding.finding_id, finding.confidence]));
  const standing = [...latest]
    .filter(([, confidence]) => confidence > 0)
    .map(([id, confidence]) => `${id} ${confidence}`);
  return { all, standing: standing.sort() };
}

/** A detector whose state is written down and read again before each event, as a restart would. */
function restarting(detector: AnyDetector): AnyDetector {
  return {
    ...detector,
    initial: () => ({ text: JSON.stringify(detector.initial()) }),
    evaluate(event, held: { text: string }, ctx) {
      const state: unknown = JSON.parse(held.text);
      const drafts = detector.evaluate(event, state, ctx);
      held.text = JSON.stringify(state);
      return drafts;
    },
  };
}

describe('all detectors together', () => {
  test('any order of arrival ends at the same findings', () => {
    let found = 0;
    fc.assert(
      fc.property(
        stream.chain((events) =>
          fc.tuple(fc.constant(events), fc.shuffledSubarray(events, { minLength: events.length })),
        ),
        ([events, shuffled]) => {
          const inOrder = run(events).standing;
          found += inOrder.length;
          expect(run(shuffled).standing).toEqual(inOrder);
        },
      ),
      { numRuns: 1500 },
    );
    expect(found).toBeGreaterThan(1000);
  });

  test('in order of event time nothing is withdrawn and nothing is said twice', () => {
    fc.assert(
      fc.property(stream, (events) => {
        const { all } = run(events);
        expect(all.filter(({ confidence }) => confidence === 0)).toEqual([]);
        const said = all.map(({ finding_id, confidence }) => `${finding_id} ${confidence}`);
        expect(new Set(said).size).toBe(said.length);
      }),
      { numRuns: 500 },
    );
  });

  test('a second delivery of any event, at any later point, changes nothing', () => {
    fc.assert(
      fc.property(
        stream.chain((events) =>
          fc.tuple(
            fc.constant(events),
            fc.array(fc.tuple(fc.nat(events.length - 1), fc.nat(30)), { maxLength: 10 }),
          ),
        ),
        ([events, repeats]) => {
          const delivered = [...events];
          for (const [index, delay] of repeats) {
            const event = events[index]!;
            delivered.splice(delivered.indexOf(event) + 1 + delay, 0, structuredClone(event));
          }
          expect(run(delivered).standing).toEqual(run(events).standing);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('writing the state down and reading it again changes nothing', () => {
    fc.assert(
      fc.property(stream, (events) => {
        expect(run(events, detectors.map(restarting)).all).toEqual(run(events).all);
      }),
      { numRuns: 300 },
    );
  });

  test('the state of a key is bounded, whatever is sent', () => {
    const sizes = new Map<string, number>();
    const measured = detectors.map((detector): AnyDetector => ({
      ...detector,
      evaluate(event, state: unknown, ctx) {
        const drafts = detector.evaluate(event, state, ctx);
        sizes.set(detector.id, Math.max(sizes.get(detector.id) ?? 0, JSON.stringify(state).length));
        return drafts;
      },
    }));
    const flood = Array.from({ length: 3000 }, (_, i): StreamEvent => ({
      kind: 'access',
      event_id: `event-${i}`,
      time: START + i * 40_000,
      iss: 'https://as.example',
      sub: 'user-1',
      client_id: 'client-1',
      jti: `token-${i % 500}`,
      sid: `session-${i % 300}`,
      scope: [`scope-${i % 700}`],
      method: 'GET',
      route: `/route/${i}`,
      status: 200,
      client_ip: `192.0.2.${i % 256}`,
      user_agent: `agent-${i % 90}/1`,
      enrichment: {
        ...place(
          `192.0.2.${i % 256}`,
          `C${i % 50}`,
          `City ${i % 211}`,
          [i % 90, i % 180],
          i % 400,
          'residential',
        ),
        ua_family: `agent-${i % 90}`,
      },
    }));
    run(flood, measured);
    for (const [id, size] of sizes) expect([id, size < 64 * 1024]).toEqual([id, true]);
    expect([...sizes.keys()].sort()).toEqual(detectors.map(({ id }) => id).sort());
  });
});
