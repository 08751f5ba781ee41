import { describe, expect, test } from 'vitest';
import type { EnrichedAccessEvent } from '../../../schemas/access-event.ts';
import { finding as findingSchema, type Finding } from '../../../schemas/finding.ts';
import { configureDetectors } from '../../../src/detection/configure.ts';
import type { AnyDetector, DetectorContext, StreamEvent } from '../../../src/detection/contract.ts';
import { suspectOf } from '../../../src/detection/keys.ts';
import { createDetection } from '../../../src/detection/runtime.ts';
import { access, counting } from './support.ts';

function detectionOf(detectors: AnyDetector[], allowedLateness = 1000) {
  const errors: { detector: string; event: StreamEvent; error: unknown }[] = [];
  const detection = createDetection({
    detectors: configureDetectors(detectors, {}).configured,
    allowedLateness,
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

  test('what memory lets go of is asked for before it is needed, and goes on where it was', () => {
    const { detection, reasons } = detectionOf([counting()]);
    reasons(access('a', 1));
    const rows = detection.changed();
    detection.settle();
    detection.shrink(0);
    expect(detection.keys()).toEqual({ counting: 0 });
    const next = [access('b', 2), access('c', 3), access('d', 4, { sub: 'user-2' })];
    const missing = detection.missing(next);
    expect(missing).toHaveLength(2);
    expect(missing[0]).toMatchObject({ space: 'counting', key: rows[0]?.key });
    detection.load(rows);
    expect(detection.missing(next)).toHaveLength(1);
    expect(next.flatMap(reasons)).toEqual(['2', '3', '1']);
  });
});

describe('a judgement that rests on what others do', () => {
  /** Claims a use as long as nobody else of the client has used its route by then. */
  const alone = counting({
    id: 'alone',
    initial: (): { uses: EnrichedAccessEvent[] } => ({ uses: [] }),
    evaluate(event: StreamEvent, state: { uses: EnrichedAccessEvent[] }, ctx: DetectorContext<unknown>) {
      if (event.kind === 'access') state.uses.push(event);
      return this.review?.(state, ctx);
    },
    review(state: { uses: EnrichedAccessEvent[] }, ctx: DetectorContext<unknown>) {
      return state.uses.map((use) => ({
        kind: 'alone',
        confidence: ctx.adoption('\nweb-shop', 'route:GET /a', use.time).subjects > 1 ? 0 : 0.5,
        reason: use.event_id,
        signals: [],
        measures: {},
        suspect: suspectOf(use),
        evidence: [],
      }));
    },
  });
  const visit = (id: string, time: number, sub: string) =>
    access(id, time, { sub, method: 'GET', route: '/a' });
  const confidences = (findings: readonly Finding[]) =>
    findings.map(({ reason, confidence }) => [reason, confidence]);

  test('is made anew when nothing more can arrive of the time it is about, and not before', () => {
    const { detection } = detectionOf([alone], 1000);
    expect(confidences(detection.process(visit('a', 5000, 'user-1')))).toEqual([['a', 0.5]]);
    detection.process(visit('late', 4500, 'user-2'));
    expect(detection.review(5499)).toEqual([]);
    // Of the two, the later one has a peer by its own time.
    expect(confidences(detection.review(6000))).toEqual([
      ['late', 0.5],
      ['a', 0],
    ]);
    expect(detection.review(9000)).toEqual([]);
  });

  test('is still to come after a restart, also of a state that memory does not hold', () => {
    const before = detectionOf([alone], 1000).detection;
    before.process(visit('a', 5000, 'user-1'));
    before.process(visit('late', 4500, 'user-2'));
    const rows = before.changed();
    const { detection } = detectionOf([alone], 1000);
    detection.load(rows.filter(({ space }) => space === 'population'));
    detection.schedule(
      rows.flatMap(({ space, key, review_at }) =>
        review_at === undefined ? [] : [{ space, key, review_at }],
      ),
    );
    const missing = detection.missingForReview(6000);
    expect(missing).toHaveLength(2);
    detection.load(rows.filter(({ key }) => missing.some((one) => one.key === key)));
    expect(confidences(detection.review(6000))).toEqual([
      ['late', 0.5],
      ['a', 0],
    ]);
  });

  test('counts the subjects of other partitions too', () => {
    const elsewhere = detectionOf([]).detection;
    elsewhere.process(visit('b', 4000, 'user-9'));
    const detection = createDetection({
      detectors: configureDetectors([alone], {}).configured,
      allowedLateness: 1000,
      others: () => [elsewhere.population],
      onError: () => undefined,
    });
    expect(confidences(detection.process(visit('a', 5000, 'user-1')))).toEqual([['a', 0]]);
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
