import { describe, expect, it } from 'vitest';
import { commonCount, dealTopics, readNumbers, writeNumbers } from '../../../src/sources/kafka/numbers.ts';

const counts = new Map([
  ['a', 4],
  ['b', 4],
]);
const member = (id: string, topics = ['a', 'b']) => ({ id, topics, held: [] });

describe('dealTopics', () => {
  it('gives number n of every topic to the same member', () => {
    expect(dealTopics('g', [member('x'), member('y'), member('z')], counts)).toEqual(
      new Map([
        ['x', { a: [0, 3], b: [0, 3] }],
        ['y', { a: [1], b: [1] }],
        ['z', { a: [2], b: [2] }],
      ]),
    );
  });

  it('gives nothing to a member that lacks a topic, for it would tear its numbers apart', () => {
    const old = member('old', ['a']);
    // The leader may be the old one, and then knows the partitions of its own topic only.
    expect(dealTopics('g', [old, member('new')], new Map([['a', 2]]))).toEqual(
      new Map([['new', { a: [0, 1], b: [0, 1] }]]),
    );
  });

  it('gives nothing to anybody where nobody reads all', () => {
    expect(() => dealTopics('g', [member('x', ['a']), member('y', ['b'])], counts)).toThrow(
      'none of them reads all of a, b',
    );
  });

  it('refuses topics that have come to differ', () => {
    const grown = new Map([...counts, ['b', 6]]);
    expect(() => dealTopics('g', [member('x')], grown)).toThrow('a has 4, b has 6');
  });
});

it('topics read together have one partition count, or are named with theirs', () => {
  expect(commonCount('g', counts)).toBe(4);
  expect(() => commonCount('g', new Map([...counts, ['c', 5]]))).toThrow(
    expect.objectContaining({
      code: 'ERR_PARTITIONING',
      message: expect.stringContaining('(a has 4, b has 4, c has 5)') as string,
    }),
  );
});

it('numbers go to the leader and back; what is none is nothing', () => {
  for (const numbers of [[], [0], [3, 11, 7]]) expect(readNumbers(writeNumbers(numbers))).toEqual(numbers);
  expect(readNumbers()).toEqual([]);
  expect(readNumbers(Buffer.from('{"a":[1]}'))).toEqual([]);
});
