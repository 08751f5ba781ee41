import fc from 'fast-check';
import { expect, it } from 'vitest';
import { dealNumbers, type Member } from '../../../src/sources/kafka/numbers.ts';

const ids = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 8 });
const held = fc.array(fc.integer({ min: -1, max: 40 }), { maxLength: 30 });
const members: fc.Arbitrary<Member[]> = ids.chain((names) =>
  fc.tuple(...names.map((id) => held.map((numbers) => ({ id, topics: ['t'], held: numbers })))),
);
const counts = fc.integer({ min: 0, max: 30 });
const isOwner = (dealt: Map<string, number[]>, id: string, number: number) => dealt.get(id)?.includes(number);

it('every number goes to one member, and nobody has more than one above another', () => {
  fc.assert(
    fc.property(members, counts, (group, count) => {
      const dealt = dealNumbers(group, count);
      expect([...dealt.values()].flat().sort((a, b) => a - b)).toEqual(
        Array.from({ length: count }, (_, number) => number),
      );
      const sizes = [...dealt.values()].map(({ length }) => length);
      expect(sizes).toHaveLength(group.length);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    }),
  );
});

it('the order in which members come does not matter', () => {
  const shuffled = members.chain((group) =>
    fc.tuple(fc.constant(group), fc.shuffledSubarray(group, { minLength: group.length })),
  );
  fc.assert(
    fc.property(shuffled, counts, ([group, other], count) => {
      expect(dealNumbers(other, count)).toEqual(dealNumbers(group, count));
    }),
  );
});

it('when members come and go, only numbers that must move do', () => {
  fc.assert(
    fc.property(ids, ids, counts, (before, after, count) => {
      const nobody: Member[] = before.map((id) => ({ id, topics: ['t'], held: [] }));
      const first = dealNumbers(nobody, count);
      const then = after.map((id) => ({ id, topics: ['t'], held: first.get(id) ?? [] }));
      const second = dealNumbers(then, count);
      const moved = then.flatMap(({ id, held: had }) => had.filter((number) => !isOwner(second, id, number)));
      const stayed = then.filter(({ held: had }) => had.length > 0);
      const share = Math.floor(count / after.length);
      const larger = count % after.length;
      // What exceeds fair shares has to go, with the larger shares left to those who hold most; nothing else does.
      const over = stayed.map(({ held: had }) => had.length - share).sort((a, b) => b - a);
      const must = over.reduce((sum, above, at) => sum + Math.max(0, above - (at < larger ? 1 : 0)), 0);
      expect(moved).toHaveLength(must);
    }),
  );
});
