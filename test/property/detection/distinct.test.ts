import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createDistinct, hash32, type EncodedDistinct } from '../../../src/detection/distinct.ts';

type Uses = readonly (readonly [subject: string, time: number])[];

function counted(uses: Uses, distinct = createDistinct()) {
  for (const [subject, time] of uses) distinct.add(subject, hash32(subject), time);
  return distinct;
}

// From a handful of subjects to well past those counted one by one.
const uses = fc
  .tuple(fc.constantFrom(20, 70, 1500), fc.constantFrom(10, 300, 3000))
  .chain(([subjects, maxLength]) =>
    fc.array(
      fc.tuple(
        fc.nat(subjects).map((n) => `user-${n}`),
        fc.nat(100_000),
      ),
      { maxLength, size: 'max' },
    ),
  );

test('a count as of a time is a function of the uses up to then: of no order, no repeat and nothing later', () => {
  let estimated = 0;
  fc.assert(
    fc.property(
      uses.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
      fc.nat(100_000),
      ([all, shuffled], at) => {
        const upTo = all.filter(([, time]) => time <= at);
        const count = counted(upTo.toSorted(([, a], [, b]) => a - b)).count(at);
        if (count > 64) estimated += 1;
        expect(counted(all).count(at)).toBe(count);
        expect(counted([...shuffled, ...all]).count(at)).toBe(count);
      },
    ),
    { numRuns: 150, endOnFailure: true },
  );
  expect(estimated).toBeGreaterThan(10);
});

test('a counter that is written down and read again at any point counts the same', () => {
  fc.assert(
    fc.property(uses, fc.nat(3000), fc.nat(100_000), (all, end, at) => {
      const before = counted(all.slice(0, end)).encode();
      const again = createDistinct(JSON.parse(JSON.stringify(before)) as EncodedDistinct);
      const [one, two] = [counted(all.slice(end), again), counted(all)];
      expect([one.count(at), one.first]).toEqual([two.count(at), two.first]);
      expect(one.encode().sketch).toBe(two.encode().sketch);
    }),
    { numRuns: 100, endOnFailure: true },
  );
});

test('what it takes, written down, is bounded', () => {
  const distinct = counted(Array.from({ length: 200_000 }, (_, n) => [`user-${n}`, n * 1000] as const));
  expect(JSON.stringify(distinct.encode()).length).toBeLessThan(24 * 1024);
  expect(Math.abs(distinct.count(2e8) - 200_000)).toBeLessThan(40_000);
});
