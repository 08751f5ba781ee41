import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EnrichedAccessEvent } from '../../../schemas/access-event.ts';
import type { Alert } from '../../../schemas/alert.ts';
import type { AuthorizationEvent } from '../../../schemas/authorization-event.ts';
import { parseConfig } from '../../../src/config/load.ts';
import type { StateKey, StateRow } from '../../../src/detection/keyed-state.ts';
import { createEnricher, type Enricher } from '../../../src/enrich/enricher.ts';
import { createEngine, type Engine } from '../../../src/pipeline/engine.ts';
import { createPolicy } from '../../../src/policy/decide.ts';
import { createLogger } from '../../../src/telemetry/log.ts';
import { decode } from '../../support/decoding.ts';
import { ordinaryTraffic, plantedThefts } from '../../support/traffic.ts';

const { config, detectors } = parseConfig({ policy: { mode: 'enforce' } });
const FROM = Date.UTC(2026, 2, 1);
const LATENESS = 3_600_000;
let enricher: Enricher;
type Event = EnrichedAccessEvent | AuthorizationEvent;

beforeAll(async () => void (enricher = await createEnricher(config.enrich, createLogger('silent'))));
afterAll(() => enricher.close());

/** Hours of a few users, some of whose tokens are stolen; now and then a gateway knows a token by its hash alone. */
function streamOf(seed: number): Event[] {
  const options = {
    events: 250,
    users: 6,
    seed,
    from: FROM,
    to: FROM + 4 * LATENESS,
    issuer: 'https://as.example',
  };
  const thefts = plantedThefts(options, 3);
  const lines = [...ordinaryTraffic(options)].flatMap((line) => [line, ...thefts.next(line).split('\n')]);
  return lines
    .filter((line) => line !== '')
    .map((line, at) => {
      const decoded = decode(line);
      if (!decoded.ok || decoded.event.kind !== 'access') throw new Error(line);
      const event = enricher.enrich(decoded.event);
      if (at % 9 === 0) event.jti = undefined;
      else event.jti = `jti-${event.token_hash ?? ''}`;
      return event;
    });
}

const newEngine = () =>
  createEngine({
    detectors,
    policy: createPolicy(
      { ...config.policy, budget: { per_minute: 1e6, per_client_per_hour: 1e6 } },
      { shadowDetectors: new Set() },
    ),
    allowedLateness: LATENESS,
    onError: (_detector, _event, error) => {
      throw error;
    },
  });

/** Runs batches, between which the process may die and be replaced by one that has the checkpoints alone. */
function run(events: readonly Event[], sizes: readonly number[], deaths: readonly boolean[]) {
  const stored = new Map<string, StateRow>();
  const alerts = new Map<string, Alert>();
  const findings = new Map<string, number>();
  const recalls = new Set<string>();
  const nameOf = ({ space, key }: StateKey) => `${space} ${key}`;
  let engine = newEngine();
  const hydrate = (to: Engine, keys: readonly StateKey[]) =>
    to.load(keys.flatMap((key) => stored.get(nameOf(key)) ?? []));
  const conclude = (found: ReturnType<Engine['detect']>) => {
    for (const { finding_id, confidence } of found) findings.set(finding_id, confidence);
    hydrate(engine, engine.missingIncidents(found));
    const verdicts = engine.decide(found, FROM + 4 * LATENESS);
    for (const { target, alert } of verdicts.recalls) {
      target.settle();
      recalls.add(`${alert.alert_id} ${target.value}`);
    }
    for (const alert of verdicts.alerts) alerts.set(alert.alert_id, alert);
  };
  for (let at = 0, batch = 0; at < events.length; batch += 1) {
    const size = sizes[batch % sizes.length] ?? 1;
    const some = events.slice(at, at + size).map((event) => ({ ...event }));
    at += size;
    hydrate(engine, engine.missingNames(some));
    engine.complete(some);
    hydrate(engine, engine.missing(some));
    hydrate(engine, engine.missingForReview(Math.max(...some.map(({ time }) => time))));
    conclude(engine.detect(some));
    for (const row of engine.changed()) stored.set(nameOf(row), row);
    engine.settle(batch % 3 === 0 ? 0 : 1000);
    if (deaths[batch % deaths.length] !== true) continue;
    engine = newEngine();
    engine.load([...stored.values()].filter(({ space }) => space === 'population'));
    engine.schedule(
      [...stored.values()].flatMap(({ space, key, review_at }) =>
        review_at === undefined ? [] : [{ space, key, review_at }],
      ),
    );
  }
  hydrate(engine, engine.missingForReview(Infinity));
  conclude(engine.review(Infinity));
  return {
    findings: [...findings].sort(),
    recalls: [...recalls].sort(),
    // Versions follow how often an alert was looked at.
    alerts: [...alerts.values()]
      .map((alert) => ({ ...alert, version: 0 }))
      .sort((a, b) => (a.alert_id < b.alert_id ? -1 : 1)),
  };
}

test('any split into batches, any eviction and any restart in between give the same findings, alerts and recalls', () => {
  const seeds = fc.integer({ min: 1, max: 1000 });
  const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 5 });
  const deaths = fc.array(fc.boolean(), { minLength: 1, maxLength: 5 });
  let alerts = 0;
  fc.assert(
    fc.property(seeds, sizes, deaths, (seed, split, dies) => {
      const events = streamOf(seed);
      const whole = run(events, [events.length], [false]);
      alerts += whole.alerts.length;
      expect(run(events, split, dies)).toEqual(whole);
    }),
    { numRuns: 40 },
  );
  expect(alerts).toBeGreaterThan(40);
});
