import { LRUCache } from 'lru-cache';
import { detectors as registry } from '../../detectors/registry.ts';
import type { Action } from '../../schemas/action.ts';
import type { Alert } from '../../schemas/alert.ts';
import type { Config } from '../../schemas/config.ts';
import type { Finding } from '../../schemas/finding.ts';
import { createDispatcher } from '../alerts/dispatcher.ts';
import { createAlertSink } from '../alerts/registry.ts';
import { resolveCredentials, type ApiCredential } from '../api/credentials.ts';
import { createApi, listenApi } from '../api/server.ts';
import type { ConfiguredDetector } from '../detection/configure.ts';
import { createEnricher } from '../enrich/enricher.ts';
import { messageOf } from '../errors.ts';
import { guardAction } from '../policy/guards.ts';
import { loadOrCreateKey } from '../response/custody-key.ts';
import { createCustody } from '../response/custody.ts';
import { createOutbox } from '../response/outbox.ts';
import { createRevocationResponder } from '../response/responder.ts';
import { createHttpSource } from '../sources/http.ts';
import type { BatchOutcome, Stream } from '../sources/port.ts';
import { createSource } from '../sources/registry.ts';
import { openStore, type OpenedStore } from '../store/open.ts';
import { createReads, type Reads } from '../store/reads.ts';
import type { Logger } from '../telemetry/log.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { createEngine } from './engine.ts';
import { createHealth } from './health.ts';
import { createProcessor } from './processor.ts';
import { createRecallDesk } from './recall-desk.ts';

/** How long a stop waits for actions and alerts under way. */
const STOP_DEADLINE = 15_000;
/** Alerts whose last version handed to the sinks is remembered. */
const ALERTS_REMEMBERED = 100_000;

/** Is told what happens, as it happens; the demo prints from it. */
export interface WorkerObserver {
  finding?(finding: Finding): void;
  alert?(alert: Alert): void;
  receipt?(action: Action): void;
}

export interface WorkerDeps {
  log: Logger;
  detectors: readonly ConfiguredDetector[];
  observer?: WorkerObserver;
}

/** A worker with all its parts started, except that it does not read its sources before {@link Worker.run}. */
export interface Worker {
  /** Where the API listens; undefined where it is turned off. */
  readonly apiUrl: string | undefined;
  readonly credentials: readonly ApiCredential[];
  readonly store: OpenedStore;
  readonly reads: Reads;
  /** Reads the configured sources; resolves when all have ended or `signal` aborts, rejects when one fails for good. */
  run(signal: AbortSignal): Promise<void>;
  /** Hands lines over as HTTP push would; resolves when they are durable. */
  push(stream: Stream, lines: string): Promise<BatchOutcome>;
  /** Resolves when no action and no alert waits. */
  idle(): Promise<void>;
  /** Stops in order: sources, with what they handed over; alerts; API; actions; store. */
  stop(): Promise<void>;
}

type Closer = () => Promise<void> | void;

/**
 * Assembles and starts a worker.
 *
 * @throws RecallError what is missing or misconfigured: geo files, store, address, credentials
 */
export async function createWorker(
  config: Config,
  { log, detectors, observer = {} }: WorkerDeps,
): Promise<Worker> {
  const closers: Closer[] = [];
  const stopping = new AbortController();
  const runs = new Set<Promise<void>>();
  const stop = async () => {
    stopping.abort();
    await Promise.allSettled(runs);
    // Last opened, first closed: nothing is closed before what still uses it.
    for (const close of closers.splice(0).reverse()) {
      await Promise.resolve(close()).catch((error: unknown) => log.warn(`stopping: ${messageOf(error)}`));
    }
  };
  try {
    return await assemble();
  } catch (error) {
    await stop();
    throw error;
  }

  async function assemble(): Promise<Worker> {
    const metrics = createMetrics();
    // Credentials and databases first: they fail fast and need nothing else.
    const credentials = config.api.enabled ? await resolveCredentials(config.api, config.data_dir) : [];
    const enricher = await createEnricher(config.enrich, log);
    closers.push(() => enricher.close());
    const store = await openStore({ config: config.store, dataDir: config.data_dir, log });
    closers.push(() => store.close());
    const reads = createReads(store);

    const embedded = config.store.url === undefined;
    const key = config.custody.key ?? (embedded ? await loadOrCreateKey(config.data_dir) : undefined);
    const custody = createCustody({
      key,
      defaultTtl: config.custody.default_ttl,
      find: (id) => reads.sealedToken(id),
    });
    const responder = createRevocationResponder({ servers: config.authorization_servers, custody, log });
    const outbox = createOutbox({
      responder,
      store,
      guard: (action) => guardAction(action, config.policy),
      log,
      metrics,
      onReceipt: (action) => observer.receipt?.(action),
    });
    closers.push(() => outbox.close(STOP_DEADLINE));
    outbox.submit(await reads.pendingActions());

    const engine = createEngine({
      config,
      detectors,
      enricher,
      onDetectorError: (detector, event, error) => {
        metrics.detectorErrors.inc({ detector });
        log.error({ detector, event_id: event.event_id }, `detector failed on an event: ${messageOf(error)}`);
      },
    });
    const sources = config.sources.map((source) => createSource(source, { log, maxLine: config.max_line }));
    const http = createHttpSource({ log, maxLine: config.max_line });
    const health = createHealth({ store, sources, outbox, log });
    closers.push(() => health.close());
    let apiUrl: string | undefined;
    if (config.api.enabled) {
      const api = await createApi({
        config: config.api,
        credentials,
        store,
        reads,
        http,
        detectors: registry,
        metrics,
        health: () => health.report(),
        requestRecall: createRecallDesk({ reads, store, responder, outbox }),
        log,
      });
      closers.push(() => api.close());
      apiUrl = await listenApi(api, config.api);
    }

    // Alerts link to the API, whose port may be known only now.
    const publicUrl = config.api.public_url ?? apiUrl ?? '';
    const sinks = config.alert_sinks.map((sink) => createAlertSink(sink, { log, publicUrl }));
    const dispatcher = createDispatcher({ sinks, log, metrics, load: (id) => reads.getAlert(id) });
    closers.push(() => dispatcher.close(STOP_DEADLINE));
    health.watchSinks(() => dispatcher.health());

    const toldVersions = new LRUCache<string, number>({ max: ALERTS_REMEMBERED });
    const handle = createProcessor({
      engine,
      store,
      custody,
      metrics,
      log,
      signal: stopping.signal,
      maxFuture: config.detection.max_future,
      missingFor: (target) => responder.missingFor(target),
      onDurable: ({ findings, alerts, actions }) => {
        for (const finding of findings) observer.finding?.(finding);
        for (const alert of alerts) {
          observer.alert?.(alert);
          // A sink that knows of an alert hears of its withdrawal too; of two versions only the newer goes out.
          const told = toldVersions.get(alert.alert_id);
          if (told === undefined ? alert.decision.action === 'record' : told > alert.version) continue;
          toldVersions.set(alert.alert_id, alert.version);
          dispatcher.submit(alert);
        }
        outbox.submit(actions);
        for (const [detector, keys] of Object.entries(engine.keys())) metrics.keys.set({ detector }, keys);
      },
    });
    const pushing = http.run(handle, stopping.signal);
    closers.push(() => pushing);

    async function read(signal: AbortSignal): Promise<void> {
      const ended = new AbortController();
      const either = AbortSignal.any([signal, stopping.signal, ended.signal]);
      try {
        await Promise.all(sources.map((source) => source.run(handle, either)));
      } finally {
        ended.abort();
      }
    }

    return {
      apiUrl,
      credentials,
      store,
      reads,
      run: (signal) => {
        const reading = read(signal);
        runs.add(reading);
        return reading;
      },
      push: (stream, lines) =>
        http.push(new TextEncoder().encode(lines), 'application/x-ndjson', stream, 'canonical'),
      idle: async () => {
        await outbox.idle();
        await dispatcher.idle();
      },
      stop,
    };
  }
}
