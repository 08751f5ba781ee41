import type { Finding } from '../../schemas/finding.ts';

let counter = 0;

/** A finding for tests of policy: `token-replay` on `token-1` of `user-1`, unless told otherwise. */
export function findingOf(overrides: Partial<Finding> = {}): Finding {
  counter += 1;
  const time = overrides.time ?? Date.UTC(2026, 0, 1);
  const event_id = overrides.event_id ?? `event-${counter}`;
  return {
    finding_id: `finding-${counter}`,
    detector: 'token-replay',
    time,
    event_id,
    confidence: 0.95,
    conclusive: false,
    signals: ['device', 'location'],
    reason: 'one token in two places',
    measures: {},
    evidence: [{ event_id, time, client_ip: '203.0.113.9' }],
    iss: 'https://as.example',
    sub: 'user-1',
    client_id: 'web',
    token_hash: 'hash-1',
    ...overrides,
  };
}
