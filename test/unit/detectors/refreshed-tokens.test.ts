import fc from 'fast-check';
import { expect, test } from 'vitest';
import { tokenReplay } from '../../../detectors/token-replay/detector.ts';
import type { Options } from '../../../detectors/token-replay/options.ts';
import type { EnrichedAccessEvent } from '../../../schemas/access-event.ts';
import type { Finding } from '../../../schemas/finding.ts';
import { configureDetectors } from '../../../src/detection/configure.ts';
import type { AnyDetector, DetectorContext } from '../../../src/detection/contract.ts';
import { createDetection } from '../../../src/detection/runtime.ts';
import { access } from '../detection/support.ts';

const MINUTE = 60_000;
const places = {
  home: { ip: '192.0.2.1', network: 'residential', asn: 64500, ua_family: 'Firefox' },
  hosting: { ip: '203.0.113.10', network: 'hosting', asn: 64520, ua_family: 'python-requests' },
  proxy: { ip: '198.51.100.20', network: 'residential', asn: 64504, ua_family: 'curl' },
} as const;

function use(minute: number, from: keyof typeof places, token: number | undefined): EnrichedAccessEvent {
  const enrichment = places[from];
  return access(`use-${String(minute).padStart(3, '0')}`, minute * MINUTE, {
    sub: 'user-1',
    jti: token === undefined ? undefined : `token-${token}`,
    sid: 'session-1',
    client_ip: enrichment.ip,
    user_agent: enrichment.ua_family,
    enrichment,
  });
}

/** All findings of a run, withdrawals among them. */
function runOf(events: readonly EnrichedAccessEvent[], detector: AnyDetector = tokenReplay): Finding[] {
  const { configured } = configureDetectors([detector], {});
  const detection = createDetection({
    detectors: configured,
    allowedLateness: 6 * 3_600_000,
    onError: (_detector, _event, error) => {
      throw error;
    },
  });
  return events.flatMap((event) => detection.process(event));
}

/** Findings in force after all events. */
function inForce(events: readonly EnrichedAccessEvent[]): string[] {
  const latest = new Map(runOf(events).map(({ finding_id, confidence }) => [finding_id, confidence]));
  return [...latest]
    .filter(([, confidence]) => confidence > 0)
    .map(([id, confidence]) => `${id} ${confidence}`)
    .sort();
}

test('the tokens and the findings do not depend on the order of arrival, also past what a context keeps', () => {
  const token = fc.option(fc.integer({ min: 0, max: 15 }), { nil: undefined });
  // Most uses are of one context, so that many runs have more tokens there than are kept.
  const from = fc.constantFrom(
    ...(['home', 'proxy'] as const),
    ...Array.from({ length: 6 }, () => 'hosting' as const),
  );
  const uses = fc
    .array(fc.tuple(from, token), { minLength: 2, maxLength: 50, size: 'max' })
    .map((all) => all.map(([place, name], minute) => use(minute, place, name)));
  let found = 0;
  fc.assert(
    fc.property(
      uses.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
      ([all, shuffled]) => {
        const said = runOf(all);
        expect(said.filter(({ confidence }) => confidence === 0)).toEqual([]);
        found += said.length;
        expect(inForce(shuffled)).toEqual(inForce(all));
      },
    ),
    { numRuns: 200 },
  );
  expect(found).toBeGreaterThan(400);
});

test('who refreshes on and on is named for the first tokens, and the state stays bounded', () => {
  let size = 0;
  const measured: AnyDetector = {
    ...tokenReplay,
    evaluate(event, state: ReturnType<typeof tokenReplay.initial>, ctx: DetectorContext<Options>) {
      const drafts = tokenReplay.evaluate(event, state, ctx);
      size = JSON.stringify(state).length;
      return drafts;
    },
  };
  const thefts = Array.from({ length: 200 }, (_, index) => use(index + 2, 'hosting', index + 1));
  const sizes: number[] = [];
  const found = runOf([use(0, 'home', 1), ...thefts.slice(0, 20)], measured);
  sizes.push(size);
  runOf([use(0, 'home', 1), ...thefts], measured);
  sizes.push(size);
  const named = new Set(found.map(({ jti }) => jti));
  expect([...named].sort()).toEqual(Array.from({ length: 8 }, (_, index) => `token-${index + 1}`));
  expect(sizes[1]! - sizes[0]!).toBeLessThan(100);
});

test('a context that is forgotten takes nothing back of what was said of its tokens', () => {
  const later = Array.from({ length: 8 }, (_, index) => ({
    ...use(10 + index, 'proxy', 1),
    user_agent: `curl/${index}`,
  }));
  const found = runOf([
    use(0, 'home', 1),
    use(1, 'hosting', 1),
    use(2, 'home', 1),
    use(3, 'hosting', 2),
    use(4, 'hosting', 3),
    ...later,
  ]);
  expect(new Set(found.map(({ jti }) => jti))).toEqual(new Set(['token-1', 'token-2', 'token-3']));
  expect(found.filter(({ confidence }) => confidence === 0)).toEqual([]);
});
