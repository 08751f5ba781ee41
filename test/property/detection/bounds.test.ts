import { describe, expect, test } from 'vitest';
import { detectors } from '../../../detectors/registry.ts';
import type { StreamEvent } from '../../../src/detection/contract.ts';
import { ordinaryTraffic } from '../../support/traffic.ts';
import { flood, type Flood } from './floods.ts';
import { measured, run } from './support.ts';

/** Longest state of a key, as characters of JSON, whatever is sent: the promise of docs and detectors. */
const MOST = 32 * 1024;

/** Of each detector the longest state there was, and the median of the states there are in the end. */
function lengths(events: Iterable<StreamEvent>): {
  longest: Record<string, number>;
  median: Record<string, number>;
} {
  const longest = new Map<string, number>();
  const last = new Map<string, Map<unknown, number>>();
  const watched = detectors.map((detector) =>
    measured(detector, (length, state) => {
      longest.set(detector.id, Math.max(longest.get(detector.id) ?? 0, length));
      const ofDetector = last.get(detector.id) ?? new Map<unknown, number>();
      last.set(detector.id, ofDetector.set(state, length));
    }),
  );
  run([...events], watched);
  const medianOf = (all: number[]) => all.sort((a, b) => a - b)[all.length >> 1] ?? 0;
  return {
    longest: Object.fromEntries(longest),
    median: Object.fromEntries([...last].map(([id, states]) => [id, medianOf([...states.values()])])),
  };
}

const many: Flood = {
  events: 3000,
  step: 20_000,
  sessions: 900,
  tokens: 2000,
  devices: 300,
  places: 400,
  scopes: 900,
  routes: 2500,
  length: 0,
  filler: '',
};
const floods: Record<string, Flood> = {
  'thousands of everything': many,
  'one session on hundreds of devices': { ...many, sessions: 1, tokens: 1 },
  'one device with hundreds of sessions and tokens': { ...many, devices: 1, places: 2 },
  'a burst within a minute': { ...many, step: 20 },
  'names as long as schemas allow': { ...many, events: 800, length: 4096, filler: 'x' },
  'long names that JSON makes longer': { ...many, events: 800, length: 4096, filler: '"' },
  'long names of few things': {
    ...many,
    events: 800,
    sessions: 3,
    tokens: 6,
    places: 4,
    length: 4096,
    filler: 'é',
  },
  'a machine with thousands of tokens': { ...many, machine: true, tokens: 2500 },
};

describe('the state of a key is bounded', () => {
  test.each(Object.keys(floods))('against %s', (name) => {
    const { longest } = lengths(flood(floods[name]!));
    expect(Object.keys(longest)).toContain('scope-drift');
    for (const [id, length] of Object.entries(longest)) expect([id, length < MOST]).toEqual([id, true]);
  });
});

test('the state of an ordinary person takes a few kilobytes', () => {
  const from = Date.UTC(2026, 0, 20);
  const lines = ordinaryTraffic({
    events: 20_000,
    users: 100,
    seed: 3,
    from,
    to: from + 3 * 86_400_000,
    issuer: 'https://as.example',
  });
  const events = Array.from(lines, (line, index): StreamEvent => {
    const { time, iat, scope, client_ip, path, ...fields } = JSON.parse(line) as Record<string, string>;
    return {
      ...fields,
      kind: 'access',
      event_id: String(index).padStart(32, '0'),
      time: Date.parse(time ?? ''),
      iat: Number(iat) * 1000,
      scope: scope?.split(' '),
      route: path,
      status: 200,
      client_ip: client_ip ?? '',
      enrichment: {
        ip: client_ip ?? '',
        network: 'residential',
        country: 'FR',
        city: 'Paris',
        latitude: 48.86,
        longitude: 2.35,
        accuracy_km: 20,
        asn: 64_500,
        as_org: 'Example Telecom',
        ua_family: 'Firefox',
        ua_os: 'Windows',
        geo_build: 'dbip-city-ipv4@2026-06-05',
      },
    };
  });
  const { median } = lengths(events);
  expect(median['token-replay']).toBeLessThan(1500);
  expect(median['impossible-travel']).toBeLessThan(5000);
  expect(median['scope-drift']).toBeLessThan(4500);
});
