import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { detectors } from '../../../detectors/registry.ts';
import { busy, calm } from './streams.ts';
import { LATENESS, restarting, run, runWithRestarts } from './support.ts';
import { arrivals } from './world.ts';

const stream = fc.oneof(calm, busy);
const shuffled = stream.chain((events) => arrivals(events, LATENESS));
const runs = (numRuns: number) => ({ numRuns, endOnFailure: true });

describe('states', () => {
  test('written down and read again before every event and review say the same, word for word', () => {
    fc.assert(
      fc.property(shuffled, (events) => {
        const written = detectors.map((detector) => restarting(detector, () => undefined));
        expect(run(events, written).said).toEqual(run(events).said);
      }),
      runs(25),
    );
  });

  test('hold nothing that JSON loses', () => {
    fc.assert(
      fc.property(shuffled, (events) => {
        const kept = detectors.map((detector) =>
          restarting(detector, (state) => expect(JSON.parse(JSON.stringify(state))).toEqual(state)),
        );
        run(events.slice(0, 120), kept);
      }),
      runs(10),
    );
  });
});

test('a runtime that ends after any event and begins anew from its checkpoint says the same, word for word', () => {
  fc.assert(
    fc.property(shuffled, fc.array(fc.nat(400), { minLength: 1, maxLength: 8 }), (events, ends) => {
      const after = new Set(ends.map((end) => end % events.length));
      expect(runWithRestarts(events, after).said).toEqual(run(events).said);
    }),
    runs(25),
  );
});
