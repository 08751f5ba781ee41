import { z } from 'zod';
import type { EnrichedAccessEvent } from '../../../schemas/access-event.ts';
import { defineDetector, type AnyDetector } from '../../../src/detection/contract.ts';
import { subjectKey, suspectOf } from '../../../src/detection/keys.ts';

/** An accepted use of a token of `sub` by the client `web-shop`. */
export function access(
  event_id: string,
  time: number,
  fields: Partial<EnrichedAccessEvent> = {},
): EnrichedAccessEvent {
  return {
    kind: 'access',
    event_id,
    time,
    client_ip: '192.0.2.1',
    client_id: 'web-shop',
    sub: 'user-1',
    status: 200,
    enrichment: { ip: '192.0.2.1', network: 'residential' },
    ...fields,
  };
}

/** A detector that counts the events of each subject and claims every one with the count as its reason. */
export function counting(overrides: Partial<AnyDetector> = {}): AnyDetector {
  return {
    ...defineDetector({
      id: 'counting',
      title: 'Counting',
      description: '',
      attack: ['T1528'],
      severity: 'low',
      runbook: '',
      falsePositives: [],
      config: z.strictObject({ step: z.number().int().default(1).describe('Added for each event') }),
      scope: 'subject',
      stateVersion: 1,
      initial: () => ({ count: 0 }),
      key: subjectKey,
      evaluate(event, state, { config }) {
        if (event.kind !== 'access') return undefined;
        state.count += config.step;
        return [
          {
            kind: 'count',
            confidence: 0.5,
            reason: String(state.count),
            signals: ['volume'],
            measures: { count: state.count },
            suspect: suspectOf(event),
            evidence: [],
          },
        ];
      },
      ttl: () => 1000,
    }),
    ...overrides,
  };
}
