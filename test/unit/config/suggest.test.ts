import { describe, expect, it } from 'vitest';
import { editDistance, suggest } from '../../../src/config/suggest.ts';

describe('editDistance', () => {
  it.each([
    ['', '', 0],
    ['', 'abc', 3],
    ['abc', 'abc', 0],
    ['abc', 'ab', 1],
    ['abc', 'abd', 1],
    ['abcd', 'acbd', 1],
    ['kitten', 'sitting', 3],
  ])('of %j and %j is %i', (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance);
    expect(editDistance(b, a)).toBe(distance);
  });
});

describe('suggest', () => {
  it.each([
    ['sorces', 'sources'],
    ['STORE', 'store'],
    ['soruces', 'sources'],
    ['x', undefined],
    ['detector', undefined],
  ])('takes %j for %j', (word, expected) => {
    expect(suggest(word, ['sources', 'store', 'stores', 'policy'])).toBe(expected);
  });
});
