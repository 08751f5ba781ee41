import { describe, expect, test } from 'vitest';
import { detectors } from '../../../detectors/registry.ts';
import type { Finding } from '../../../schemas/finding.ts';
import { configureDetectors } from '../../../src/detection/configure.ts';
import type { AnyDetector, StreamEvent } from '../../../src/detection/contract.ts';
import { createDetection } from '../../../src/detection/runtime.ts';
import { eventsOf, readCases, type Case } from './case-file.ts';

/** How late events may arrive by default, ms. */
const LATENESS = 6 * 3_600_000;

/** All findings of a run, withdrawals among them. */
function runOf(detector: AnyDetector, config: Case['config'], events: readonly StreamEvent[]): Finding[] {
  const { configured, issues } = configureDetectors([detector], { [detector.id]: config ?? {} });
  expect(issues).toEqual([]);
  const detection = createDetection({
    detectors: configured,
    allowedLateness: LATENESS,
    onError: (_, event, error) => {
      throw new Error(`failed on ${event.event_id}`, { cause: error });
    },
  });
  const said = events.flatMap((event) => [
    // What rested on peers is judged again as soon as all of them must have arrived.
    ...detection.review(event.time - 1),
    ...detection.process(event),
  ]);
  return [...said, ...detection.review(Infinity)];
}

/** Findings in force after all events: the latest version of each, less those withdrawn. */
function findingsOf(
  detector: AnyDetector,
  config: Case['config'],
  events: readonly StreamEvent[],
): Finding[] {
  const latest = new Map(runOf(detector, config, events).map((finding) => [finding.finding_id, finding]));
  return [...latest.values()].filter(({ confidence }) => confidence > 0);
}

/** A permutation that a seed decides (Fisher-Yates over a linear congruential generator). */
function shuffled<T>(items: readonly T[], seed: number): T[] {
  const result = [...items];
  let state = seed;
  for (let i = result.length - 1; i > 0; i -= 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const j = state % (i + 1);
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}

/** An order in which the events may arrive, some of them hours late, that a seed decides. */
function delayed(events: readonly StreamEvent[], seed: number): StreamEvent[] {
  const slots = shuffled(
    events.map((_, index) => (index % 3) * (LATENESS / 2)),
    seed,
  );
  return events
    .map((event, index) => ({ event, due: event.time + (slots[index] ?? 0) }))
    .sort((a, b) => a.due - b.due)
    .map(({ event }) => event);
}

function meets(finding: Finding, wanted: Case['expect'][number]): boolean {
  const [least, most] = wanted.confidence ?? [0, 1];
  return (
    finding.measures.claim === wanted.kind &&
    finding.confidence >= least &&
    finding.confidence <= most &&
    (wanted.suspect === undefined || finding.measures.suspect_event === wanted.suspect) &&
    (wanted.signals === undefined || wanted.signals.join() === finding.signals.join()) &&
    (wanted.conclusive === undefined || wanted.conclusive === finding.conclusive) &&
    (wanted.reason === undefined || finding.reason.includes(wanted.reason))
  );
}

/** Each expectation takes one finding, and none is left over. */
function expectFindings(findings: readonly Finding[], wanted: Case['expect']): void {
  const left = [...findings];
  const unmet = wanted.filter((one) => {
    const at = left.findIndex((finding) => meets(finding, one));
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
  const brief = left.map(({ confidence, signals, reason, measures }) => ({
    confidence,
    signals,
    reason,
    measures,
  }));
  expect({ unmet, unexpected: brief }).toEqual({ unmet: [], unexpected: [] });
}

const identity = (findings: readonly Finding[]) =>
  findings.map(({ finding_id, confidence }) => `${finding_id} ${confidence}`).sort();

for (const detector of detectors) {
  describe(detector.id, () => {
    const file = readCases(new URL(`../../../detectors/${detector.id}/cases.yaml`, import.meta.url));

    test('has cases of both kinds', () => {
      const alerting = ({ expect: wanted }: Case) =>
        wanted.some(({ confidence }) => (confidence?.[1] ?? 1) >= 0.5);
      expect(file.cases.filter(alerting).length).toBeGreaterThanOrEqual(2);
      expect(file.cases.filter((one) => !alerting(one)).length).toBeGreaterThanOrEqual(5);
    });

    test.each(file.cases)('$name', (one) => {
      const events = eventsOf(file, one).toSorted((a, b) => a.time - b.time);
      const inOrder = runOf(detector, one.config, events);
      // In order nothing is claimed that a later event takes back.
      expect(inOrder.filter(({ confidence }) => confidence === 0)).toEqual([]);
      expectFindings(inOrder, one.expect);
      for (const { evidence, measures } of inOrder) {
        expect(evidence.map(({ event_id }) => event_id)).toContain(measures.suspect_event);
        expect(evidence.map(({ time }) => time)).toEqual(
          evidence.map(({ time }) => time).sort((a, b) => a - b),
        );
      }
      const twice = events.flatMap((event) => [event, structuredClone(event)]);
      expect(identity(findingsOf(detector, one.config, twice))).toEqual(identity(inOrder));
      if (one.ordered_only !== undefined) return;
      for (const other of [1, 2, 3, 4].map((seed) => delayed(events, seed))) {
        expect(identity(findingsOf(detector, one.config, other))).toEqual(identity(inOrder));
      }
      // Any order whatever, as long as all that counts is kept under one key.
      if (one.across_keys) return;
      for (const other of [events.toReversed(), ...[1, 2, 3, 4].map((seed) => shuffled(events, seed))]) {
        expect(identity(findingsOf(detector, one.config, other))).toEqual(identity(inOrder));
      }
    });
  });
}
