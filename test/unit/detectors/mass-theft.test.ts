import { expect, test } from 'vitest';
import { tokenReplay } from '../../../detectors/token-replay/detector.ts';
import type { EnrichedAccessEvent } from '../../../schemas/access-event.ts';
import { configureDetectors } from '../../../src/detection/configure.ts';
import { createDetection } from '../../../src/detection/runtime.ts';
import { access } from '../detection/support.ts';

const SECOND = 1000;

function use(time: number, sub: string, stolen: boolean): EnrichedAccessEvent {
  const network = stolen ? ('hosting' as const) : ('residential' as const);
  const ip = stolen ? '203.0.113.10' : '192.0.2.1';
  return access(`${sub}-${time}`, time, {
    sub,
    jti: `token of ${sub}`,
    sid: `session of ${sub}`,
    client_ip: ip,
    enrichment: {
      ip,
      network,
      asn: stolen ? 64520 : 64500,
      ua_family: stolen ? 'python-requests' : 'Firefox',
    },
  });
}

/** Lets 100 users work, takes the tokens of some of them to one rented network, and gives who was found out, how surely. */
function victims(stolen: number): Map<string | undefined, number> {
  const { configured } = configureDetectors([tokenReplay], {});
  const detection = createDetection({
    detectors: configured,
    allowedLateness: 6 * 3_600_000,
    onError: (_detector, _event, error) => {
      throw error;
    },
  });
  const users = Array.from({ length: 100 }, (_, index) => `user-${index}`);
  const events = [
    ...users.map((sub, index) => use(index * SECOND, sub, false)),
    ...users.slice(0, stolen).map((sub, index) => use((200 + index) * SECOND, sub, true)),
  ];
  const found = new Map<string | undefined, number>();
  for (const event of events) {
    for (const { sub, confidence } of detection.process(event)) found.set(sub, confidence);
  }
  return found;
}

test('who takes the tokens of eight in a hundred users to one network is not taken for their backend', () => {
  const found = victims(8);
  expect(found.size).toBe(8);
  expect(Math.min(...found.values())).toBeGreaterThanOrEqual(0.8);
});

test('a caller that a good part of the users have is their backend, and is only recorded', () => {
  const found = [...victims(60).values()];
  expect(found.filter((confidence) => confidence > 0.4).length).toBeLessThanOrEqual(10);
});
