import type { AccessEvent, EnrichedAccessEvent } from '../../schemas/access-event.ts';
import type { Alert } from '../../schemas/alert.ts';
import type { AuthorizationEvent } from '../../schemas/authorization-event.ts';
import type { Config } from '../../schemas/config.ts';
import type { Finding } from '../../schemas/finding.ts';
import type { ConfiguredDetector } from '../detection/configure.ts';
import type { StreamEvent } from '../detection/contract.ts';
import { createDetection } from '../detection/runtime.ts';
import type { Enricher } from '../enrich/enricher.ts';
import { createPolicy, type RecallTarget } from '../policy/decide.ts';
import { createIncidents } from '../policy/incidents.ts';
import { createTokenNames } from './token-names.ts';

const INCIDENTS_KEPT = 200_000;

export interface EngineOptions {
  config: Config;
  detectors: readonly ConfiguredDetector[];
  enricher: Enricher;
  onDetectorError: (detector: string, event: StreamEvent, error: unknown) => void;
}

/** What a run of events led to. */
export interface Verdicts {
  findings: Finding[];
  /** Alerts that changed, each in its latest version. */
  alerts: Alert[];
  /** Every decision made on the way, oldest first. */
  decisions: Alert[];
  recalls: { alert: Alert; target: RecallTarget }[];
}

/**
 * The part of the road that production and backtest share to the letter: enrich, detect, decide.
 * It is synchronous, so events are evaluated one after the other whatever else the process does.
 */
export function createEngine({ config, detectors, enricher, onDetectorError }: EngineOptions) {
  const detection = createDetection({
    detectors,
    maxKeys: config.detection.max_keys,
    onError: onDetectorError,
  });
  const names = createTokenNames();
  const incidents = createIncidents(INCIDENTS_KEPT);
  const shadowDetectors = new Set(
    detectors.filter((detector) => detector.mode === 'shadow').map((detector) => detector.definition.id),
  );
  const policy = createPolicy(config.policy, { shadowDetectors });

  return {
    enrich(event: AccessEvent): EnrichedAccessEvent {
      names.complete(event);
      return enricher.enrich(event);
    },
    /**
     * Detects and decides on events in the order given.
     *
     * @param now the clock for event age and budget: of arrival in production, of the event in a backtest
     */
    evaluate(events: readonly (EnrichedAccessEvent | AuthorizationEvent)[], now?: number): Verdicts {
      const verdicts: Verdicts = { findings: [], alerts: [], decisions: [], recalls: [] };
      const latest = new Map<string, Alert>();
      // Every finding asks anew for a recall that is not settled: the last time counts.
      const unsettled = new Map<string, Verdicts['recalls'][number]>();
      for (const event of events) {
        if (event.kind === 'authorization') names.complete(event);
        for (const finding of detection.process(event)) {
          verdicts.findings.push(finding);
          const incident = incidents.add(finding, now ?? event.time);
          if (incident === null) continue;
          const { alert, recalls } = policy.decide(incident, now ?? event.time);
          verdicts.decisions.push(alert);
          latest.set(alert.alert_id, alert);
          for (const target of recalls) unsettled.set(`${alert.alert_id} ${target.value}`, { alert, target });
        }
      }
      verdicts.alerts = [...latest.values()];
      verdicts.recalls = [...unsettled.values()];
      return verdicts;
    },
    keys: () => detection.keys(),
  };
}

export type Engine = ReturnType<typeof createEngine>;
