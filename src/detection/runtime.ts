import type { Finding } from '../../schemas/finding.ts';
import type { ConfiguredDetector } from './configure.ts';
import type { DetectorContext, StreamEvent } from './contract.ts';
import { completeFinding } from './finding.ts';
import { createLru } from './lru.ts';
import { createPopulation } from './population.ts';

/** States past their time to live that are dropped with each event: more than one, so that the dead never pile up. */
const DROPPED_PER_EVENT = 2;

/** Runs detectors over events, one after the other. */
export interface Detection {
  /** Evaluates an event with every detector that has a use for it; gives the findings it completed. */
  process(event: StreamEvent): Finding[];
  /** States held in memory, by detector. */
  keys(): Record<string, number>;
}

interface Slot extends ConfiguredDetector {
  readonly space: number;
  readonly ttl: number;
  readonly context: DetectorContext<unknown>;
  keys: number;
}

interface Held {
  readonly slot: Slot;
  state: unknown;
  /** Event time of the latest event of the key. */
  last: number;
}

/**
 * Creates the runtime: keyed states in memory, the population of each client, and completion of findings.
 * It knows no clock but the events' own, so the same events in the same order give the same findings anywhere.
 *
 * @param options.maxKeys states kept over all detectors; past it the one used longest ago goes
 * @param options.onError told of a detector that threw; that detector then skips the event, the others do not
 */
export function createDetection(options: {
  detectors: readonly ConfiguredDetector[];
  maxKeys: number;
  onError(detector: string, event: StreamEvent, error: unknown): void;
}): Detection {
  const population = createPopulation();
  const slots: Slot[] = options.detectors.map((detector, space) => ({
    ...detector,
    space,
    ttl: detector.definition.ttl(detector.config),
    context: {
      config: detector.config,
      adoption: (client, feature, at) => population.adoption(client, feature, at),
    },
    keys: 0,
  }));
  const states = createLru<Held>(slots.length);

  function dropOldest(held: Held): void {
    held.slot.keys -= 1;
    states.dropOldest();
  }

  function dropExpired(now: number): void {
    for (let i = 0; i < DROPPED_PER_EVENT; i += 1) {
      const held = states.oldest();
      if (held === undefined || now - held.last <= held.slot.ttl) return;
      dropOldest(held);
    }
  }

  function stateOf(slot: Slot, key: string, time: number): Held {
    const known = states.get(slot.space, key);
    if (known !== undefined) {
      if (time - known.last > slot.ttl) known.state = slot.definition.initial();
      if (time > known.last) known.last = time;
      return known;
    }
    const held: Held = { slot, state: slot.definition.initial(), last: time };
    states.add(slot.space, key, held);
    slot.keys += 1;
    const oldest = states.size > options.maxKeys ? states.oldest() : undefined;
    if (oldest !== undefined) dropOldest(oldest);
    return held;
  }

  return {
    process(event) {
      population.observe(event);
      dropExpired(event.time);
      const findings: Finding[] = [];
      for (const slot of slots) {
        const { definition, context } = slot;
        try {
          const key = definition.key(event);
          if (key === null) continue;
          const { state } = stateOf(slot, key, event.time);
          for (const draft of definition.evaluate(event, state, context) ?? []) {
            findings.push(completeFinding(definition.id, draft));
          }
        } catch (error) {
          options.onError(definition.id, event, error);
        }
      }
      return findings;
    },
    keys: () => Object.fromEntries(slots.map(({ definition, keys }) => [definition.id, keys])),
  };
}
