import type { EnrichedAccessEvent } from '../../schemas/access-event.ts';
import type { Alert } from '../../schemas/alert.ts';
import type { AuthorizationEvent } from '../../schemas/authorization-event.ts';
import type { Finding } from '../../schemas/finding.ts';
import type { StateKey, StateRow } from '../detection/keyed-state.ts';
import { createDetection, type DetectionOptions } from '../detection/runtime.ts';
import type { Policy, RecallTarget } from '../policy/decide.ts';
import { createIncidents } from '../policy/incidents.ts';
import { createTokenNames } from './token-names.ts';

/** Incidents in memory, of one state partition. */
const INCIDENTS_KEPT = 200_000;

export interface EngineOptions extends DetectionOptions {
  policy: Policy;
}

/** What a run of events led to. */
export interface Verdicts {
  findings: readonly Finding[];
  /** Alerts that changed, each in its latest version. */
  alerts: Alert[];
  /** Every decision made on the way, oldest first. */
  decisions: Alert[];
  recalls: { alert: Alert; target: RecallTarget }[];
}

type Event = EnrichedAccessEvent | AuthorizationEvent;

/**
 * The part of the road that production and backtest share to the letter: detect and decide, for the events of one
 * state partition. It is synchronous, so events are evaluated one after the other whatever else the process does.
 * Whatever a step needs of what memory has let go is asked for before it, by the `missing` functions.
 */
export function createEngine({ policy, ...options }: EngineOptions) {
  const detection = createDetection(options);
  const names = createTokenNames();
  const incidents = createIncidents(INCIDENTS_KEPT);
  const parts = [detection, names, incidents];

  return {
    missingNames: (events: readonly Event[]): StateKey[] => names.missing(events),
    /** Fills in the names of tokens that an event leaves out and others have told. */
    complete(events: readonly Event[]): void {
      for (const event of events) names.complete(event);
    },
    missing: (events: readonly Event[]): StateKey[] => detection.missing(events),
    /**
     * Evaluates events in the order given. Before each, what was complete before its time is judged once more: so
     * what is known at a review is the same in batches of any size.
     */
    detect: (events: readonly Event[]): Finding[] =>
      events.flatMap((event) => [
        // One that is as late as is allowed may still come.
        ...(event.kind === 'access' ? detection.review(event.time - 1) : []),
        ...detection.process(event),
      ]),
    missingForReview: (watermark: number): StateKey[] => detection.missingForReview(watermark),
    /** Judges once more what rested on knowledge that is complete at `watermark`. */
    review: (watermark: number): Finding[] => detection.review(watermark),
    missingIncidents: (findings: readonly Finding[]): StateKey[] => incidents.missing(findings),
    /**
     * Makes alerts of findings and decides on them.
     *
     * @param now the clock for event age and budget: of arrival in production, of the event in a backtest
     */
    decide(findings: readonly Finding[], now: number): Verdicts {
      const verdicts: Verdicts = { findings, alerts: [], decisions: [], recalls: [] };
      const latest = new Map<string, Alert>();
      // Every finding asks anew for a recall that is not settled: the last time counts.
      const unsettled = new Map<string, Verdicts['recalls'][number]>();
      for (const finding of findings) {
        const incident = incidents.add(finding, now);
        if (incident === null) continue;
        const { alert, recalls } = policy.decide(incident, now);
        verdicts.decisions.push(alert);
        latest.set(alert.alert_id, alert);
        for (const target of recalls) unsettled.set(`${alert.alert_id} ${target.value}`, { alert, target });
      }
      verdicts.alerts = [...latest.values()];
      verdicts.recalls = [...unsettled.values()];
      return verdicts;
    },
    /** Takes in what checkpoints held. */
    load(rows: readonly StateRow[]): void {
      for (const part of parts) part.load(rows);
    },
    schedule: (reviews: readonly (StateKey & { review_at: number })[]) => detection.schedule(reviews),
    /** What changed since the last `settle`, as rows of a checkpoint. */
    changed: (): StateRow[] => parts.flatMap((part) => part.changed()),
    /** Says that all changes are durable; memory keeps at most `limit` states of detectors. */
    settle(limit: number): void {
      for (const part of parts) part.settle();
      detection.shrink(limit);
    },
    keys: () => detection.keys(),
    population: detection.population,
  };
}

export type Engine = ReturnType<typeof createEngine>;
