import { detectors as registry } from '../../detectors/registry.ts';
import type { Action } from '../../schemas/action.ts';
import type { Config } from '../../schemas/config.ts';
import { createDeliveries } from '../alerts/deliveries.ts';
import { createDispatcher } from '../alerts/dispatcher.ts';
import { createAlertSink } from '../alerts/registry.ts';
import { resolveCredentials, type ApiCredential } from '../api/credentials.ts';
import { createApi, listenApi } from '../api/server.ts';
import type { ConfiguredDetector } from '../detection/configure.ts';
import { createEnricher } from '../enrich/enricher.ts';
import { messageOf, RecallError } from '../errors.ts';
import { guardAction } from '../policy/guards.ts';
import { loadOrCreateKey } from '../response/custody-key.ts';
import { createCustody } from '../response/custody.ts';
import { createOutbox } from '../response/outbox.ts';
import { createRevocationResponder } from '../response/responder.ts';
import { createHttpSource } from '../sources/http.ts';
import type { BatchOutcome, Stream } from '../sources/port.ts';
import { checkPartitioning } from '../sources/partitioning.ts';
import { createSources } from '../sources/registry.ts';
import { createDeadLetterReads } from '../store/dead-letters.ts';
import { openStore, type OpenedStore } from '../store/open.ts';
import { createReads, type Reads } from '../store/reads.ts';
import type { Logger } from '../telemetry/log.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { createHealth } from './health.ts';
import { LOCAL, type Partitions } from './partitions.ts';
import { createRecallDesk } from './recall-desk.ts';
import { createRepartitionSource } from './repartition.ts';
import { createRedrive } from './redrive.ts';
import { createRetell } from './retell.ts';
import { createRoad, type WorkerObserver } from './road.ts';

/** What each part gets at least to end what it is at, however late it is, ms. */
const LEAST_PATIENCE = 500;

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
  /** Aborts, with the reason, where the worker cannot go on: another one has taken over what only one can do. */
  readonly failed: AbortSignal;
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

/** Where Kafka shares subjects out by partition, what is pushed to this worker belongs to any of them. */
const refusePush = () =>
  Promise.reject(
    new RecallError(
      'ERR_PARTITIONING',
      'this worker reads its logs from Kafka, by partition: produce to the topic, or set `repartition` in the configuration',
    ),
  );

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
  /** Aborted with the reason where the worker cannot go on. */
  const failed = new AbortController();
  const runs = new Set<Promise<void>>();
  /** Aborts when the time to stop is over: what waits is left to the next start. */
  const giveUp = new AbortController();
  let deadline = Infinity;
  const timeLeft = () => Math.max(LEAST_PATIENCE, deadline - Date.now());
  let stopped: Promise<void> | undefined;
  const stop = () => (stopped ??= stopAll());
  async function stopAll(): Promise<void> {
    deadline = Date.now() + config.stop_deadline;
    const timer = setTimeout(() => giveUp.abort(), config.stop_deadline);
    stopping.abort();
    await Promise.allSettled(runs);
    // Last opened, first closed: nothing is closed before what still uses it.
    for (const close of closers.splice(0).reverse()) {
      await Promise.resolve(close()).catch((error: unknown) => log.warn(`stopping: ${messageOf(error)}`));
    }
    clearTimeout(timer);
  }
  try {
    return await assemble();
  } catch (error) {
    await stop();
    throw error;
  }

  async function assemble(): Promise<Worker> {
    checkPartitioning(
      detectors.map(({ definition: { id, scope } }) => ({ id, scope })),
      config,
    );
    const metrics = createMetrics();
    // Credentials and databases first: they fail fast and need nothing else.
    const credentials = config.api.enabled ? await resolveCredentials(config.api, config.data_dir) : [];
    const enricher = await createEnricher(config.enrich, log);
    closers.push(() => enricher.close());
    const store = await openStore({ config: config.store, dataDir: config.data_dir, log });
    closers.push(() => store.close(timeLeft()));
    const reads = createReads(store);

    const embedded = config.store.url === undefined;
    const key = config.custody.key ?? (embedded ? await loadOrCreateKey(config.data_dir) : undefined);
    const custody = createCustody({
      key,
      defaultTtl: config.custody.default_ttl,
      find: (id, iss) => reads.sealedToken(id, iss),
    });
    const responder = createRevocationResponder({ servers: config.authorization_servers, custody, log });
    // Nothing is carried out before a partition is open, by when this is the real one.
    const retelling = new Set<Promise<void>>();
    let retell: (action: Action) => Promise<void> = () => Promise.resolve();
    const outbox = createOutbox({
      responder,
      store,
      reads,
      guard: (action) => guardAction(action, config.policy),
      log,
      metrics,
      onReceipt(action) {
        observer.receipt?.(action);
        const telling = retell(action).finally(() => retelling.delete(telling));
        retelling.add(telling);
      },
    });
    closers.push(() => outbox.close(timeLeft()));
    // What listens is up before there are partitions.
    const owned: { partitions?: Partitions } = {};
    const { repartition } = config;
    const deps = { log, maxLine: config.max_line };
    const intake = createSources(config.sources, deps, { repartitioned: repartition !== undefined });
    const gathered = repartition === undefined ? [] : [createRepartitionSource(repartition, deps)];
    const sources = [...intake, ...gathered];
    const http = createHttpSource({ log, maxLine: config.max_line });
    const health = createHealth({
      store,
      sources,
      outbox,
      partitions: () => owned.partitions?.open() ?? 0,
      log,
    });
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
        redrive: createRedrive({
          letters: createDeadLetterReads(store),
          ...{ store, custody, sources: config.sources },
          push: (...pushed) => http.push(...pushed),
          maxFuture: config.detection.max_future,
        }),
        requestRecall: createRecallDesk({
          ...{ reads, store, responder, outbox },
          partition: () => owned.partitions?.any() ?? LOCAL,
        }),
        log,
      });
      closers.push(() => api.close());
      apiUrl = await listenApi(api, config.api);
    }

    // Alerts link to the API, whose port may be known only now.
    const publicUrl = config.api.public_url ?? apiUrl ?? '';
    const sinks = config.alert_sinks.map((sink) => createAlertSink(sink, { log, publicUrl }));
    const dispatcher = createDispatcher({ sinks, deliveries: createDeliveries(store), log, metrics });
    closers.push(() => dispatcher.close(timeLeft()));
    health.watchSinks(() => dispatcher.health());

    const { partitions, handle, forwarderTo, ...road } = await createRoad({
      ...{ config, detectors, observer, enricher, store, custody, responder, outbox, dispatcher },
      ...{ metrics, log },
      giveUp: giveUp.signal,
      fail: (error) => failed.abort(error),
    });
    closers.push(() => road.close());
    owned.partitions = partitions;
    retell = createRetell({ reads, store, dispatcher, log, untilTaken: road.untilTaken });
    let take = handle;
    if (repartition !== undefined) {
      const { forward, close } = forwarderTo(repartition);
      take = forward;
      closers.push(close);
    }
    const partitioned = repartition !== undefined || config.sources.some(({ kind }) => kind === 'kafka');
    if (!partitioned) await partitions.of(LOCAL);
    const pushing = http.run(partitioned && repartition === undefined ? refusePush : take, stopping.signal);
    closers.push(() => pushing);

    async function read(signal: AbortSignal): Promise<void> {
      const ended = new AbortController();
      const either = AbortSignal.any([signal, stopping.signal, ended.signal, failed.signal]);
      const runs = [
        ...intake.map((source) => source.run(take, either, partitions)),
        ...gathered.map((source) => source.run(handle, either, partitions)),
      ];
      // One that fails ends the others, and all are waited for: what they use must not be closed under them.
      for (const run of runs) run.catch(() => ended.abort());
      const outcomes = await Promise.allSettled(runs);
      ended.abort();
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
      failed.signal.throwIfAborted();
    }

    return {
      apiUrl,
      credentials,
      store,
      reads,
      failed: failed.signal,
      run: (signal) => {
        const reading = read(signal);
        runs.add(reading);
        return reading;
      },
      push: (stream, lines) =>
        http.push(new TextEncoder().encode(lines), 'application/x-ndjson', stream, 'canonical'),
      idle: async () => {
        await outbox.idle();
        await Promise.all(retelling);
        await dispatcher.idle();
      },
      stop,
    };
  }
}
