import type { Finding } from '../../schemas/finding.ts';
import type { ConfiguredDetector } from './configure.ts';
import type { Adoption, DetectorContext, FindingDraft, StreamEvent } from './contract.ts';
import { completeFinding } from './finding.ts';
import { createKeyedState, type Held, type StateKey, type StateRow } from './keyed-state.ts';
import { adoptionOver, createPopulation, POPULATION, type Population } from './population.ts';
import { createReviews } from './reviews.ts';

/** Runs detectors over the events of one state partition, one after the other. */
export interface Detection {
  /** Evaluates an event with every detector that has a use for it; gives the findings it completed. */
  process(event: StreamEvent): Finding[];
  /**
   * Judges once more what rested on a population that is complete by now: of uses that the watermark has left behind
   * by more than the allowed lateness.
   */
  review(watermark: number): Finding[];
  /** States that the events need and memory does not hold: they are to be loaded before. */
  missing(events: readonly StreamEvent[]): StateKey[];
  /** The same for what {@link Detection.review} would look at. */
  missingForReview(watermark: number): StateKey[];
  /** Takes in what a checkpoint held. */
  load(rows: readonly StateRow[]): void;
  /** Reviews that a checkpoint says are to come, of states that need not be in memory. */
  schedule(reviews: readonly (StateKey & { review_at: number })[]): void;
  /** What changed since the last {@link Detection.settle}, as rows of a checkpoint. */
  changed(): StateRow[];
  /** Says that all changes are durable. */
  settle(): void;
  /** Lets go of the states used longest ago until at most `limit` are left. */
  shrink(limit: number): void;
  /** States held in memory, by detector. */
  keys(): Record<string, number>;
  /** What the subjects of each client use, as far as this partition knows. */
  readonly population: Population;
}

export interface DetectionOptions {
  detectors: readonly ConfiguredDetector[];
  /** How far behind the watermark events may still arrive, ms. */
  allowedLateness: number;
  /** Populations of other partitions, which share no subject with this one. */
  others?: (() => Iterable<Pick<Population, 'adoption'>>) | undefined;
  /** Told of a detector that threw; that detector then skips the event, the others do not. */
  onError: (detector: string, event: StreamEvent, error: unknown) => void;
}

interface Slot extends ConfiguredDetector {
  readonly number: number;
  readonly context: DetectorContext<unknown>;
}

/**
 * Creates the runtime: keyed states, the population of each client, and completion of findings. It knows no clock but
 * the events' own, so the same events give the same findings anywhere.
 */
export function createDetection(options: DetectionOptions): Detection {
  const { detectors, allowedLateness, onError, others = () => [] } = options;
  const population = createPopulation();
  const states = createKeyedState(
    detectors.map(({ definition, config }) => ({
      id: definition.id,
      version: definition.stateVersion,
      ttl: definition.ttl(config),
      initial: () => definition.initial() as unknown,
      migrate: definition.migrate?.bind(definition),
    })),
  );
  const reviews = createReviews<StateKey & { review_at: number }>();
  /** Watermark as far as is known here: the latest event time, or what a review was told. */
  let latest = -Infinity;
  /** The earliest time at which something consulted in the evaluation under way will be complete. */
  let completeAt = Infinity;

  function consult(client: string, feature: string, at: number): Adoption {
    const complete = at + allowedLateness;
    if (complete > latest) completeAt = Math.min(completeAt, complete);
    return adoptionOver([population, ...others()], client, feature, at);
  }
  const slots: Slot[] = detectors.map((detector, number) => ({
    ...detector,
    number,
    context: { config: detector.config, allowedLateness, adoption: consult },
  }));
  const numbers = new Map(slots.map(({ definition, number }) => [definition.id, number]));

  /** Runs one judgement and notes when it is to be reviewed. */
  function judge(slot: Slot, held: Held, run: () => FindingDraft[] | undefined): Finding[] {
    completeAt = Infinity;
    const drafts = run() ?? [];
    if (slot.definition.review !== undefined && completeAt < (held.reviewAt ?? Infinity)) {
      held.reviewAt = completeAt;
      reviews.add(completeAt, { space: slot.definition.id, key: held.key, review_at: completeAt });
    }
    return drafts.map((draft) => completeFinding(slot.definition.id, draft));
  }

  /** Whether the review was neither held nor put off since. */
  const isStillDue = ({ space, key, review_at }: StateKey & { review_at: number }) => {
    const number = numbers.get(space);
    if (number === undefined) return false;
    const held = states.get(number, key);
    return held === undefined || held.reviewAt === review_at;
  };

  return {
    population,
    process(event) {
      population.observe(event);
      if (event.kind === 'access' && event.time > latest) latest = event.time;
      const findings: Finding[] = [];
      for (const slot of slots) {
        const { definition, context, number } = slot;
        try {
          const key = definition.key(event);
          if (key === null) continue;
          const held = states.at(number, key, event.time);
          findings.push(...judge(slot, held, () => definition.evaluate(event, held.state, context)));
        } catch (error) {
          onError(definition.id, event, error);
        }
      }
      return findings;
    },
    review(watermark) {
      latest = Math.max(latest, watermark);
      const findings: Finding[] = [];
      for (const due of reviews.due(watermark)) {
        const slot = slots[numbers.get(due.space) ?? -1];
        const held = isStillDue(due) && slot !== undefined ? states.touch(slot.number, due.key) : undefined;
        if (slot === undefined || held === undefined) continue;
        held.reviewAt = undefined;
        findings.push(...judge(slot, held, () => slot.definition.review?.(held.state, slot.context)));
      }
      return findings;
    },
    missing(events) {
      const missing = new Map<string, StateKey>();
      for (const event of events) {
        for (const { definition, number } of slots) {
          const key = keyOf(definition, event);
          if (key === null || states.get(number, key) !== undefined) continue;
          missing.set(`${number} ${key}`, { space: definition.id, key });
        }
      }
      return [...missing.values()];
    },
    missingForReview(watermark) {
      const due = reviews.due(watermark).filter(isStillDue);
      for (const review of due) reviews.add(review.review_at, review);
      return due.filter(({ space, key }) => states.get(numbers.get(space) ?? -1, key) === undefined);
    },
    load(rows) {
      population.load(rows.filter(({ space }) => space === POPULATION));
      states.load(rows);
    },
    schedule(scheduled) {
      for (const review of scheduled) reviews.add(review.review_at, review);
    },
    changed: () => [...states.changed(), ...population.changed()],
    settle() {
      states.settle();
      population.settle();
    },
    shrink: (limit) => states.shrink(limit),
    keys: () => {
      const counts = states.counts();
      return Object.fromEntries(slots.map(({ definition, number }) => [definition.id, counts[number] ?? 0]));
    },
  };
}

/** The key, or null also where the detector fails to tell: that shows again, and is told, when the event is evaluated. */
function keyOf(definition: Slot['definition'], event: StreamEvent): string | null {
  try {
    return definition.key(event);
  } catch {
    return null;
  }
}
