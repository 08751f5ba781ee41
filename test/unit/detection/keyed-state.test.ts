import { describe, expect, test } from 'vitest';
import { createKeyedState, type Space, type StateRow } from '../../../src/detection/keyed-state.ts';

const counter = (fields: Partial<Space> = {}): Space => ({
  id: 'counter',
  version: 1,
  ttl: 1000,
  initial: () => ({ count: 0 }),
  ...fields,
});
const increment = (states: ReturnType<typeof createKeyedState>, key: string, time: number) => {
  const state = states.at(0, key, time).state as { count: number };
  state.count += 1;
  return state.count;
};

describe('time to live', () => {
  test('a state begins anew once it has passed in event time', () => {
    const states = createKeyedState([counter()]);
    increment(states, 'a', 1000);
    expect(increment(states, 'a', 2000)).toBe(2);
    expect(increment(states, 'a', 3001)).toBe(1);
  });

  test('a late event neither renews nor ends a state', () => {
    const states = createKeyedState([counter()]);
    increment(states, 'a', 5000);
    expect(increment(states, 'a', 10)).toBe(2);
    expect(increment(states, 'a', 6000)).toBe(3);
  });

  test('counts from what the checkpoint says', () => {
    const states = createKeyedState([counter()]);
    const row = { space: 'counter', key: 'a', version: 1, state: '{"count":5}', event_time: 1000, ttl: 0 };
    states.load([row]);
    expect(increment(states, 'a', 2001)).toBe(1);
  });
});

describe('checkpoints', () => {
  test('hold what changed since the last one, and give it back elsewhere', () => {
    const states = createKeyedState([counter(), counter({ id: 'other', ttl: 7 })]);
    increment(states, 'a', 10);
    increment(states, 'b', 20);
    states.at(1, 'a', 30);
    const first = states.changed();
    expect(first).toEqual([
      { space: 'counter', key: 'a', version: 1, state: '{"count":1}', event_time: 10, ttl: 1000 },
      { space: 'counter', key: 'b', version: 1, state: '{"count":1}', event_time: 20, ttl: 1000 },
      { space: 'other', key: 'a', version: 1, state: '{"count":0}', event_time: 30, ttl: 7 },
    ]);
    states.settle();
    expect(states.changed()).toEqual([]);
    increment(states, 'a', 15);
    expect(states.changed()).toMatchObject([
      { space: 'counter', key: 'a', state: '{"count":2}', event_time: 15 },
    ]);

    const elsewhere = createKeyedState([counter()]);
    elsewhere.load([...first.slice(1), ...states.changed()]);
    expect(increment(elsewhere, 'a', 15)).toBe(3);
    expect(increment(elsewhere, 'b', 20)).toBe(2);
  });

  test('do not overwrite what memory holds, which is newer', () => {
    const states = createKeyedState([counter()]);
    increment(states, 'a', 10);
    increment(states, 'a', 11);
    states.load([{ space: 'counter', key: 'a', version: 1, state: '{"count":1}', event_time: 10, ttl: 0 }]);
    expect(increment(states, 'a', 12)).toBe(3);
  });

  const old: StateRow = { space: 'counter', key: 'a', version: 1, state: '{"n":4}', event_time: 10, ttl: 0 };

  test('of an older version are migrated', () => {
    const migrate = (state: unknown, from: number) =>
      from === 1 ? { count: (state as { n: number }).n } : undefined;
    const states = createKeyedState([counter({ version: 2, migrate })]);
    states.load([old]);
    expect(increment(states, 'a', 11)).toBe(5);
    expect(states.changed()).toMatchObject([{ version: 2, state: '{"count":5}' }]);
  });

  test('that nothing can be made of begin anew', () => {
    const states = createKeyedState([counter({ version: 2 })]);
    states.load([old]);
    expect(increment(states, 'a', 11)).toBe(1);
  });

  test('of detectors that are gone are left alone', () => {
    const states = createKeyedState([counter()]);
    states.load([{ ...old, space: 'gone' }]);
    expect(states.counts()).toEqual([0]);
  });
});

describe('memory', () => {
  test('lets go of the states used longest ago, over all spaces', () => {
    const states = createKeyedState([counter(), counter({ id: 'other' })]);
    for (const key of ['a', 'b', 'c']) increment(states, key, 1);
    states.at(1, 'a', 1);
    increment(states, 'a', 2);
    states.settle();
    states.shrink(2);
    expect(states.counts()).toEqual([1, 1]);
    expect(states.get(0, 'a')).toBeDefined();
    expect(states.get(0, 'c')).toBeUndefined();
  });

  test('never of one that is not durable', () => {
    const states = createKeyedState([counter()]);
    increment(states, 'a', 1);
    increment(states, 'b', 1);
    states.shrink(0);
    expect(states.counts()).toEqual([2]);
    states.settle();
    states.shrink(0);
    expect(states.counts()).toEqual([0]);
  });
});
