import { describe, expect, test } from 'vitest';
import { finding as findingSchema } from '../../../schemas/finding.ts';
import { configureDetectors } from '../../../src/detection/configure.ts';
import type { AnyDetector, StreamEvent } from '../../../src/detection/contract.ts';
import { createDetection } from '../../../src/detection/runtime.ts';
import { access, counting } from './support.ts';

function detectionOf(detectors: AnyDetector[], maxKeys = 1000) {
  const errors: { detector: string; event: StreamEvent; error: unknown }[] = [];
  const detection = createDetection({
    detectors: configureDetectors(detectors, {}).configured,
    maxKeys,
    onError: (detector, event, error) => errors.push({ detector, event, error }),
  });
  const reasons = (event: StreamEvent) => detection.process(event).map(({ reason }) => reason);
  return { detection, errors, reasons };
}

describe('keyed state', () => {
  test('each key has a state of its own, and issuers never share one', () => {
    const { reasons, detection } = detectionOf([counting()]);
    expect(reasons(access('a', 1))).toEqual(['1']);
    expect(reasons(access('b', 2))).toEqual(['2']);
    expect(reasons(access('c', 3, { sub: 'user-2' }))).toEqual(['1']);
    expect(reasons(access('d', 4, { iss: 'https://as.example' }))).toEqual(['1']);
    expect(detection.keys()).toEqual({ counting: 3 });
  });

  test('an event without the key is none of the detector’s business', () => {
    const { reasons, detection } = detectionOf([counting()]);
    expect(reasons(access('a', 1, { sub: undefined }))).toEqual([]);
    expect(detection.keys()).toEqual({ counting: 0 });
  });

  test('a state is forgotten once its time to live has passed in event time', () => {
    const { reasons } = detectionOf([counting()]);
    reasons(access('a', 1000));
    expect(reasons(access('b', 2000))).toEqual(['2']);
    expect(reasons(access('c', 3001))).toEqual(['1']);
  });

  test('also where a state of longer life keeps it from being dropped first', () => {
    const lasting = counting({
      id: 'lasting',
      key: (event: StreamEvent) => (event.sub === undefined ? 'one' : null),
      ttl: () => 1_000_000,
    });
    const { reasons } = detectionOf([lasting, counting()]);
    reasons(access('z', 900, { sub: undefined }));
    reasons(access('a', 1000));
    expect(reasons(access('c', 3001))).toEqual(['1']);
  });

  test('a late event neither renews nor ends a state', () => {
    const { reasons } = detectionOf([counting()]);
    reasons(access('a', 5000));
    expect(reasons(access('b', 10))).toEqual(['2']);
    expect(reasons(access('c', 6000))).toEqual(['3']);
  });

  test('states that expired are dropped as other events pass', () => {
    const { reasons, detection } = detectionOf([counting()]);
    for (let i = 0; i < 50; i += 1) reasons(access(`a${i}`, 1000, { sub: `user-${i}` }));
    expect(detection.keys()).toEqual({ counting: 50 });
    for (let i = 0; i < 30; i += 1) reasons(access(`b${i}`, 9000 + i, { sub: 'other' }));
    expect(detection.keys()).toEqual({ counting: 1 });
  });

  test('past the bound over all detectors the state used longest ago goes', () => {
    const other = counting({ id: 'other', key: (event: StreamEvent) => event.client_id ?? null });
    const { reasons, detection } = detectionOf([counting(), other], 3);
    reasons(access('a', 1, { sub: 'user-1' }));
    reasons(access('b', 2, { sub: 'user-2' }));
    reasons(access('c', 3, { sub: 'user-1' }));
    reasons(access('d', 4, { sub: 'user-3' }));
    expect(detection.keys()).toEqual({ counting: 2, other: 1 });
    expect(reasons(access('e', 5, { sub: 'user-1' }))).toEqual(['3', '5']);
    expect(reasons(access('f', 6, { sub: 'user-2' }))).toEqual(['1', '6']);
  });
});

describe('a detector that throws', () => {
  test('skips that event; the other detectors do not', () => {
    const failing = counting({
      id: 'failing',
      evaluate(event: StreamEvent) {
        if (event.event_id === 'poison') throw new Error('cannot');
        return undefined;
      },
    });
    const { reasons, errors } = detectionOf([failing, counting()]);
    expect(reasons(access('poison', 1))).toEqual(['1']);
    expect(reasons(access('fine', 2))).toEqual(['2']);
    expect(errors.map(({ detector, event }) => [detector, event.event_id])).toEqual([['failing', 'poison']]);
  });
});

describe('findings', () => {
  const event = access('event-1', 1_700_000_000_000, {
    jti: 'token-1',
    sid: 'session-1',
    iss: 'https://as.example',
  });

  test('are complete and name the suspect use', () => {
    const [finding] = detectionOf([counting()]).detection.process(event);
    expect(findingSchema.parse(finding)).toEqual(finding);
    expect(finding).toMatchObject({
      detector: 'counting',
      event_id: 'event-1',
      time: event.time,
      sub: 'user-1',
      client_id: 'web-shop',
      jti: 'token-1',
      sid: 'session-1',
      measures: { claim: 'count', suspect_event: 'event-1' },
    });
  });

  test('have ids that are a function of detector, claim, use and token', () => {
    const idOf = (detector: AnyDetector, use = event) =>
      detectionOf([detector]).detection.process(use)[0]?.finding_id;
    expect(idOf(counting())).toBe(idOf(counting()));
    const others = [
      idOf(counting()),
      idOf(counting({ id: 'other' })),
      idOf(counting(), { ...event, event_id: 'event-2' }),
      idOf(counting(), { ...event, jti: 'token-2' }),
    ];
    expect(new Set(others).size).toBe(4);
  });
});

describe('options', () => {
  test('are defaulted, read and switched by detector', () => {
    const registry = [counting(), counting({ id: 'other' }), counting({ id: 'off' })];
    const { configured, issues } = configureDetectors(registry, {
      counting: { step: 5, mode: 'shadow' },
      off: { enabled: false },
    });
    expect(issues).toEqual([]);
    expect(configured.map(({ definition, config, mode }) => [definition.id, config, mode])).toEqual([
      ['counting', { step: 5 }, 'shadow'],
      ['other', { step: 1 }, undefined],
    ]);
  });

  test('every mistake is an issue with its path', () => {
    const { issues } = configureDetectors([counting(), counting({ id: 'other' })], {
      counting: { step: 'five', mode: 'loud' },
      other: { stepp: 1, enabled: 'no' },
      conting: {},
    });
    expect(issues.map(({ path }) => path.join('.')).sort()).toEqual([
      'detectors.conting',
      'detectors.counting.mode',
      'detectors.counting.step',
      'detectors.other',
      'detectors.other.enabled',
    ]);
    expect(issues[0]?.message).toContain('counting, other');
  });
});
