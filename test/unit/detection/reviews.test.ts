import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createReviews } from '../../../src/detection/reviews.ts';

test('gives what is due, earliest first, once', () => {
  const anyOrder = fc.array(fc.tuple(fc.integer({ min: 0, max: 100 }), fc.nat()));
  const watermarks = fc.array(fc.integer({ min: -1, max: 101 }), { minLength: 1 });
  fc.assert(
    fc.property(anyOrder, watermarks, (items, marks) => {
      const reviews = createReviews<[number, number]>();
      for (const item of items) reviews.add(item[0], item);
      let left = [...items];
      for (const mark of marks) {
        const due = reviews.due(mark);
        expect(due.map(([at]) => at)).toEqual(due.map(([at]) => at).sort((a, b) => a - b));
        expect(due.length).toBe(left.filter(([at]) => at <= mark).length);
        left = left.filter(([at]) => at > mark);
      }
      expect(reviews.due(Infinity)).toHaveLength(left.length);
    }),
  );
});
