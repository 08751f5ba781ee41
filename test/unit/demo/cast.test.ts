import { expect, test } from 'vitest';
import { createCast, upgraded } from '../../../src/demo/cast.ts';
import { createHistory } from '../../../src/demo/history.ts';
import { findRoute } from '../../../src/demo/routes.ts';

const DAY = 86_400_000;
const now = Date.UTC(2026, 0, 15);
const historyOf = (seed: number) =>
  createHistory(createCast(20, seed), { seed, now, issuer: 'https://as.example', days: 14 });

test('the same seed deals out the same cast, another seed another one', () => {
  expect(createCast(40, 7)).toEqual(createCast(40, 7));
  expect(createCast(40, 7)).not.toEqual(createCast(40, 8));
});

test('every odd habit is in the smallest cast', () => {
  const habits = new Set(createCast(10, 1).people.map(({ habit }) => habit));
  expect([...habits].sort()).toEqual([
    'administrator',
    'browser-upgrade',
    'corporate-vpn',
    'curious',
    'retry-storm',
    'steady',
    'web-gateway',
    'wifi-to-mobile',
  ]);
});

test('nobody shares a subject, and only administrators hold an admin scope', () => {
  const { people, victims, machines } = createCast(40, 3);
  const everybody = [...people, victims.abroad, victims.proxied];
  expect(new Set(everybody.map(({ sub }) => sub)).size).toBe(42);
  for (const { habit, laptop, phone } of everybody) {
    const scopes = `${laptop.scope} ${phone?.scope ?? ''}`;
    expect(scopes.includes('admin')).toBe(habit === 'administrator');
  }
  for (const { scope } of machines) expect(scope).not.toContain('admin');
});

test.each([
  [
    'Mozilla/5.0 … Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0',
    'Mozilla/5.0 … Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0',
  ],
  [
    'Mozilla/5.0 (Windows NT 10.0; rv:142.0) Gecko/20100101 Firefox/142.0',
    'Mozilla/5.0 (Windows NT 10.0; rv:143.0) Gecko/20100101 Firefox/143.0',
  ],
  ['Mozilla/5.0 … Version/18.5 Safari/605.1.15', 'Mozilla/5.0 … Version/19.5 Safari/605.1.15'],
])('an upgrade of %s', (before, after) => {
  expect(upgraded(before)).toBe(after);
});

test('history lies in the past, in order, and holds no raw token', () => {
  const days = historyOf(1);
  expect(days).toHaveLength(14);
  for (const { access, authorization } of days) {
    for (const events of [access, authorization]) {
      const times = events.map((event) => Number(event['time']));
      expect(times).toEqual([...times].sort((a, b) => a - b));
      expect(times[0]).toBeGreaterThanOrEqual(now - 14 * DAY - 1);
      expect(times.at(-1)).toBeLessThan(now);
      for (const event of events) expect(event).not.toHaveProperty('token');
    }
  }
});

test('in history every use is of a token issued before, not expired, on a route its scope opens', () => {
  const days = historyOf(2);
  const issued = new Map(
    days.flatMap(({ authorization }) =>
      authorization.map((event) => [event['token_hash'], Number(event['time'])]),
    ),
  );
  const uses = days.flatMap(({ access }) => access);
  expect(uses.length).toBeGreaterThan(1000);
  for (const use of uses) {
    const time = Number(use['time']);
    expect(issued.get(use['token_hash'])).toBeLessThan(time);
    expect(Number(use['exp']) * 1000).toBeGreaterThan(time);
    const route = findRoute(String(use['method']), String(use['path']));
    expect(String(use['scope']).split(' ')).toContain(route?.scope);
  }
});

test('the partner client never used more than its reports', () => {
  const uses = historyOf(1).flatMap(({ access }) => access);
  const routes = new Set(
    uses.filter((use) => use['client_id'] === 'partner-insights').map((use) => use['route']),
  );
  expect([...routes]).toEqual(['/api/reports']);
});
