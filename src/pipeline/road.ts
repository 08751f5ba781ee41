import type { Action } from '../../schemas/action.ts';
import type { Alert } from '../../schemas/alert.ts';
import type { Config } from '../../schemas/config.ts';
import type { RepartitionConfig } from '../../schemas/config-sources.ts';
import type { Finding } from '../../schemas/finding.ts';
import type { AlertDispatcher } from '../alerts/dispatcher.ts';
import type { ConfiguredDetector } from '../detection/configure.ts';
import type { Enricher } from '../enrich/enricher.ts';
import { messageOf, RecallError } from '../errors.ts';
import { createPolicy } from '../policy/decide.ts';
import type { Custody } from '../response/custody.ts';
import type { Outbox } from '../response/outbox.ts';
import type { RevocationResponder } from '../response/responder.ts';
import { withRetry } from '../retry.ts';
import type { OpenedStore } from '../store/open.ts';
import { createStateStore, type StateStore } from '../store/state.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { createActions } from './actions.ts';
import { keepBudget } from './budget.ts';
import { createDecoding } from './decoding.ts';
import { createEngine } from './engine.ts';
import { createPartitions, LOCAL } from './partitions.ts';
import { createForwarder } from './forward.ts';
import { createProcessor } from './processor.ts';
import type { Outputs } from './progress.ts';
import { createRepartitioner } from './repartition.ts';

/** Is told what happens, as it happens; the demo prints from it. */
export interface WorkerObserver {
  finding?(finding: Finding): void;
  alert?(alert: Alert): void;
  receipt?(action: Action): void;
}

export interface RoadOptions {
  config: Config;
  detectors: readonly ConfiguredDetector[];
  observer: WorkerObserver;
  enricher: Enricher;
  store: OpenedStore;
  custody: Custody;
  responder: RevocationResponder;
  outbox: Outbox;
  dispatcher: AlertDispatcher;
  metrics: Metrics;
  log: Logger;
  /** Aborts when what waits for the store is to be given up. */
  giveUp: AbortSignal;
  /** Told where this worker cannot go on. */
  fail(error: unknown): void;
}

/** Detectors whose findings never act. */
export function shadowDetectorsOf(detectors: readonly ConfiguredDetector[]): ReadonlySet<string> {
  return new Set(detectors.filter(({ mode }) => mode === 'shadow').map(({ definition }) => definition.id));
}

/** Partitions whose pending recalls the owner of a partition takes up: the first one those that nobody else owns. */
const recallsOf = (id: string) => (id === LOCAL || id.endsWith('/0') ? [...new Set([id, LOCAL, ''])] : [id]);

/**
 * Refuses to read states that a newer version of a detector wrote: what it would make of them is anybody's guess.
 *
 * @throws RecallError ERR_STATE_VERSION naming them
 */
async function refuseNewerStates(
  states: StateStore,
  detectors: readonly ConfiguredDetector[],
): Promise<void> {
  const onRecord = await states.newestVersions();
  const newer = detectors.flatMap(({ definition: { id, stateVersion } }) => {
    const version = onRecord.get(id) ?? 0;
    return version > stateVersion ? [`${id} (version ${version}, this program knows ${stateVersion})`] : [];
  });
  if (newer.length === 0) return;
  throw new RecallError(
    'ERR_STATE_VERSION',
    `a newer version of the program has written the state of ${newer.join(', ')}: upgrade this one`,
  );
}

/**
 * Builds the road that batches take through this worker.
 *
 * @throws RecallError ERR_STATE_VERSION, ERR_STORE_UNAVAILABLE
 */
export async function createRoad(options: RoadOptions) {
  const { config, detectors, observer, store, outbox, dispatcher, metrics, log } = options;
  const states = createStateStore(store);
  await refuseNewerStates(states, detectors);
  const policy = createPolicy(config.policy, { shadowDetectors: shadowDetectorsOf(detectors) });
  const budget = await keepBudget({ store, policy, log });
  const allowedLateness = config.detection.allowed_lateness;

  /** While a write waits its source waits too, which is the back-pressure. */
  const untilTaken = <T>(what: string, attempt: () => Promise<T>) =>
    withRetry(attempt, {
      what,
      log,
      signal: options.giveUp,
      onRetry: () => metrics.retries.inc({ stage: 'store' }),
    });

  function act({ findings, alerts, actions }: Outputs): void {
    for (const finding of findings) {
      metrics.findings.inc({ detector: finding.detector });
      observer.finding?.(finding);
    }
    for (const alert of alerts) {
      metrics.decisions.inc({ action: alert.decision.action, mode: alert.decision.mode });
      observer.alert?.(alert);
      dispatcher.submit(alert);
    }
    // Decided here and now: nobody else can have begun them.
    outbox.submit(actions, 'decided');
    for (const [detector, keys] of Object.entries(partitions.keys())) metrics.keys.set({ detector }, keys);
  }

  const partitions = createPartitions({
    states,
    store,
    log,
    allowedLateness,
    maxKeys: config.detection.max_keys,
    untilTaken,
    createEngine: (id, peers, onError) =>
      createEngine({
        detectors,
        policy,
        allowedLateness,
        others: () => peers.others(id),
        onError,
      }),
    onDetectorError(detector, event_id, error) {
      metrics.detectorErrors.inc({ detector });
      log.error({ detector, event_id }, `detector failed on an event: ${messageOf(error)}`);
    },
    actionsOf: createActions({ responder: options.responder, log }),
    onSkipped: (kind, count) => metrics.skipped.inc({ kind }, count),
    onDurable: act,
    async onOpened(id) {
      for (const from of recallsOf(id)) outbox.resume(from);
      await dispatcher.resume(id);
    },
    async onClosed(id) {
      for (const from of recallsOf(id)) outbox.drop(from);
      await dispatcher.drop(id);
    },
    onLocalLost: (error) => options.fail(error),
  });

  const decoding = createDecoding({ custody: options.custody, maxFuture: config.detection.max_future });
  const parts = { decoding, custody: options.custody, metrics };
  const handle = createProcessor({ ...parts, enricher: options.enricher, partitions });

  /** The way to the repartition topic, where there is one. */
  function forwarderTo(repartition: RepartitionConfig) {
    const repartitioner = createRepartitioner(repartition, { log });
    const forward = createForwarder({ ...parts, store, repartitioner, untilTaken });
    return { forward, close: () => repartitioner.close() };
  }

  async function close(): Promise<void> {
    budget.close();
    await partitions.close();
  }

  return { partitions, handle, forwarderTo, untilTaken, close };
}
