import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createDistinct, hash32 } from '../../../src/detection/distinct.ts';
import { createPopulation } from '../../../src/detection/population.ts';
import { clientKey } from '../../../src/detection/keys.ts';
import { access } from './support.ts';

const client = clientKey({ client_id: 'web-shop' })!;
const feature = 'route:GET /orders';
const use = (sub: string, time: number, fields = {}) =>
  access(`${sub}-${time}`, time, { sub, method: 'GET', route: '/orders', ...fields });

describe('checkpoints', () => {
  test('hold what changed since the last one, and give the same counts back', () => {
    const population = createPopulation();
    const copy = createPopulation();
    for (let at = 0; at < 200; at += 1) {
      population.observe(use(`user-${at % 90}`, at));
      if (at % 50 !== 49) continue;
      copy.load(population.changed());
      population.settle();
    }
    expect(population.changed()).toEqual([]);
    for (const at of [0, 10, 63, 89, 500]) {
      expect(copy.adoption(client, feature, at)).toEqual(population.adoption(client, feature, at));
    }
    population.observe(use('user-1', 900));
    expect(population.changed()).toEqual([]);
    population.observe(use('user-1', -5));
    expect(population.changed().map(({ key }) => JSON.parse(key) as unknown)).toEqual([
      [client, ''],
      [client, feature],
    ]);
  });
});

describe('adoption', () => {
  test('counts the distinct subjects of a client as of an event time', () => {
    const population = createPopulation();
    for (const [sub, time] of [
      ['a', 30],
      ['b', 10],
      ['a', 20],
      ['a', 40],
      ['c', 50],
    ] as const) {
      population.observe(use(sub, time));
    }
    population.observe(use('d', 15, { route: '/profile' }));
    expect(population.adoption(client, feature, 9)).toEqual({ subjects: 0, population: 0, firstSeen: null });
    expect(population.adoption(client, feature, 20)).toEqual({ subjects: 2, population: 3, firstSeen: 10 });
    expect(population.adoption(client, feature, 99)).toEqual({ subjects: 3, population: 4, firstSeen: 10 });
    expect(population.adoption('other', feature, 99)).toEqual({
      subjects: 0,
      population: 0,
      firstSeen: null,
    });
  });

  test('is not taught by refused requests, machines, or one request delivered twice', () => {
    const population = createPopulation();
    population.observe(use('a', 10));
    population.observe(use('a', 10));
    population.observe(use('b', 10, { status: 403 }));
    population.observe(use('web-shop', 10));
    population.observe(use('c', 10, { grant_type: 'client_credentials' }));
    expect(population.adoption(client, feature, 99)).toMatchObject({ subjects: 1, population: 1 });
  });

  test('forgets the feature without new subjects for longest, not the one everybody uses', () => {
    const population = createPopulation({ clients: 2, features: 10 });
    for (let i = 0; i < 200; i += 1) {
      population.observe(use(`user-${i}`, i));
      population.observe(use('prober', i, { route: `/probe/${i}` }));
    }
    expect(population.adoption(client, feature, 999).subjects).toBeGreaterThan(150);
    expect(population.adoption(client, 'route:GET /probe/3', 999).firstSeen).toBeNull();
  });
});

describe('distinct counting', () => {
  const counted = (uses: readonly (readonly [string, number])[]) => {
    const distinct = createDistinct();
    for (const [subject, time] of uses) distinct.add(subject, hash32(subject), time);
    return distinct;
  };

  test('is exact as of any time up to 64 subjects, whatever the order', () => {
    const uses = fc.array(
      fc.tuple(
        fc.nat(99).map((n) => `user-${n}`),
        fc.nat(1000),
      ),
      { maxLength: 400 },
    );
    fc.assert(
      fc.property(uses, fc.nat(1000), (list, at) => {
        const truth = new Set(list.filter(([, time]) => time <= at).map(([subject]) => subject)).size;
        const count = counted(list).count(at);
        if (truth < 64) expect(count).toBe(truth);
        else expect(count).toBeGreaterThanOrEqual(64);
        expect(counted(list.toReversed()).count(at)).toBe(count);
      }),
    );
  });

  test.each([100, 1000, 20_000])('estimates %d subjects within 20 %%, the same on every run', (size) => {
    const list = Array.from({ length: size }, (_, i) => [`user-${i}`, i] as const);
    const estimate = counted(list).count(size);
    expect(Math.abs(estimate - size) / size).toBeLessThan(0.2);
    expect(counted([...list, ...list]).count(size)).toBe(estimate);
  });
});
