import { detectors } from '../../../detectors/registry.ts';
import type { Finding } from '../../../schemas/finding.ts';
import { configureDetectors } from '../../../src/detection/configure.ts';
import type { AnyDetector, StreamEvent } from '../../../src/detection/contract.ts';
import { createDetection } from '../../../src/detection/runtime.ts';

/** The default of `detection.allowed_lateness`. */
export const LATENESS = 6 * 3_600_000;

// What counts as the subject's own, or as old, after less time than by default: within what late events may change.
const options = {
  'impossible-travel': { familiar_after: '3h' },
  'scope-drift': {
    learning_events: 5,
    learning_days: 1,
    min_peers: 1,
    release_window: '4h',
    routes: [{ route: '/admin/*', scopes: ['admin:write'] }],
  },
  'token-replay': { own_after: '3h' },
};

export interface Outcome {
  /** Everything that was said, in order. */
  said: Finding[];
  /** What stands in the end: `detector claim id confidence`, sorted. */
  standing: string[];
}

function standingOf(said: readonly Finding[]): string[] {
  const latest = new Map(said.map((finding) => [finding.finding_id, finding]));
  return [...latest.values()]
    .filter(({ confidence }) => confidence > 0)
    .map(
      ({ detector, measures, finding_id, confidence }) =>
        `${detector} ${measures.claim} ${measures.suspect_event} ${finding_id} ${confidence}`,
    )
    .sort();
}

function detectionOf(registry: readonly AnyDetector[], retention = '30d') {
  const kept = {
    'impossible-travel': { ...options['impossible-travel'], retention },
    'scope-drift': { ...options['scope-drift'], inactivity: retention },
    'token-replay': { ...options['token-replay'], retention },
  };
  return createDetection({
    detectors: configureDetectors(registry, kept).configured,
    allowedLateness: LATENESS,
    onError: (_, __, error) => {
      throw error;
    },
  });
}

/**
 * Runs events through the runtime in the order given. What rested on a population is reviewed as soon as the watermark
 * says that it is complete, before the event that moved it, and all of it in the end.
 */
export function run(
  events: readonly StreamEvent[],
  registry: readonly AnyDetector[] = detectors,
  retention?: string,
): Outcome {
  const detection = detectionOf(registry, retention);
  const said: Finding[] = [];
  for (const event of events) {
    if (event.kind === 'access') said.push(...detection.review(event.time - 1));
    said.push(...detection.process(event));
  }
  said.push(...detection.review(Infinity));
  return { said, standing: standingOf(said) };
}

/** The same with the runtime ended after each of the events named, and begun anew from what it had written down. */
export function runWithRestarts(events: readonly StreamEvent[], after: ReadonlySet<number>): Outcome {
  const written = new Map<string, ReturnType<ReturnType<typeof detectionOf>['changed']>[number]>();
  let detection = detectionOf(detectors);
  const said: Finding[] = [];
  events.forEach((event, index) => {
    if (event.kind === 'access') said.push(...detection.review(event.time - 1));
    said.push(...detection.process(event));
    for (const row of detection.changed()) written.set(`${row.space} ${row.key}`, row);
    detection.settle();
    if (!after.has(index)) return;
    detection = detectionOf(detectors);
    const rows = [...written.values()];
    detection.load(rows);
    detection.schedule(
      rows.flatMap(({ space, key, review_at }) =>
        review_at === undefined ? [] : [{ space, key, review_at }],
      ),
    );
  });
  said.push(...detection.review(Infinity));
  return { said, standing: standingOf(said) };
}

/** A detector whose state is written down and read again before each event and review, as a restart would. */
export function restarting(detector: AnyDetector, onState: (state: unknown) => void): AnyDetector {
  type Held = { text: string };
  const within = <T>(held: Held, judge: (state: unknown) => T): T => {
    const state: unknown = JSON.parse(held.text);
    const drafts = judge(state);
    onState(state);
    held.text = JSON.stringify(state);
    return drafts;
  };
  return {
    ...detector,
    initial: () => ({ text: JSON.stringify(detector.initial()) }),
    evaluate: (event, held: Held, ctx) => within(held, (state) => detector.evaluate(event, state, ctx)),
    ...(detector.review !== undefined && {
      review: (held: Held, ctx) => within(held, (state) => detector.review?.(state, ctx)),
    }),
  };
}

/** A detector that tells the length of each state, as JSON, after each event. */
export function measured(
  detector: AnyDetector,
  onLength: (length: number, state: unknown) => void,
): AnyDetector {
  return {
    ...detector,
    evaluate(event, state: unknown, ctx) {
      const drafts = detector.evaluate(event, state, ctx);
      onLength(JSON.stringify(state).length, state);
      return drafts;
    },
  };
}
