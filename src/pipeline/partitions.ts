import { randomUUID } from 'node:crypto';
import { isRecallError, messageOf, RecallError } from '../errors.ts';
import { createPopulation, POPULATION, type Population } from '../detection/population.ts';
import type { DetectionOptions } from '../detection/runtime.ts';
import type { Assignments } from '../sources/port.ts';
import type { Store } from '../store/port.ts';
import type { StateStore } from '../store/state.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Engine } from './engine.ts';
import { createPartition, project, type Partition, type PartitionDeps } from './partition.ts';
import { decodeProgress } from './progress.ts';

/** The partition of what comes from sources that do not partition: files, standard input, pushes. */
export const LOCAL = 'local';
/** How often the populations of other workers' partitions are read, ms. */
const REFRESH = 15_000;
/** Rows written while the last look was under way are read once more, ms. */
const OVERLAP = 10_000;

/** The populations of partitions, whoever owns them: `others(id)` gives all but one. */
export interface Peers {
  others(id: string): Iterable<Pick<Population, 'adoption'>>;
}

export interface PartitionsOptions extends Omit<
  PartitionDeps,
  'claim' | 'engine' | 'progress' | 'maxKeys' | 'takeFailures'
> {
  /** Makes the engine of a partition. */
  createEngine(id: string, peers: Peers, onError: DetectionOptions['onError']): Engine;
  /** Told of a detector that failed on an event. */
  onDetectorError: (detector: string, event_id: string, error: unknown) => void;
  store: Pick<Store, 'write'>;
  states: StateStore;
  /** States of detectors that memory may hold, over all partitions. */
  maxKeys: number;
  log: Logger;
  /** Told when a partition has been opened, before it takes a batch. */
  onOpened(id: string): Promise<void>;
  /** Told when a partition is this worker's no more. */
  onClosed(id: string): Promise<void>;
  /** Told when another worker took over the partition of what is not partitioned: there can be only one such worker. */
  onLocalLost(error: unknown): void;
}

/** The state partitions that this worker owns. */
export interface Partitions extends Assignments {
  /**
   * The partition, opened if need be: claimed, with its last checkpoint finished, ready to take batches.
   *
   * @throws RecallError ERR_STATE_FENCED where it is not this worker's; ERR_STATE_VERSION
   */
  of(id: string): Promise<Partition>;
  /** States held in memory, by detector. */
  keys(): Record<string, number>;
  /** A partition of this worker, if it has any open. */
  any(): string | undefined;
  /** Partitions open. */
  open(): number;
  close(): Promise<void>;
}

export function createPartitions(options: PartitionsOptions): Partitions {
  const { states, store, log } = options;
  const owner = randomUUID();
  const open = new Map<string, Promise<Partition>>();
  const opened = new Map<string, Partition>();
  const closing = new Map<string, Promise<void>>();
  /** By group, what it assigned to this worker. */
  const assigned = new Map<string, ReadonlySet<string>>();
  /** Populations of partitions that are open elsewhere. */
  const foreign = new Map<string, Population>();
  let refreshed = 0;
  let refreshing: Promise<void> | undefined;

  const peers: Peers = {
    *others(id) {
      for (const partition of opened.values()) if (partition.id !== id) yield partition.engine.population;
      for (const [other, population] of foreign) if (other !== id && !opened.has(other)) yield population;
    },
  };

  /** Partitions that another worker took over since the group last shared them out. */
  const lost = new Set<string>();
  const isOurs = (id: string) =>
    !lost.has(id) && (id === LOCAL || [...assigned.values()].some((ids) => ids.has(id)));

  async function refresh(): Promise<void> {
    const since = Math.max(0, refreshed - OVERLAP);
    const rows = await states.loadSpace(POPULATION, { except: [...opened.keys()], since });
    for (const row of rows) {
      refreshed = Math.max(refreshed, row.written_at);
      const population = foreign.get(row.partition) ?? createPopulation();
      foreign.set(row.partition, population);
      population.load([row]);
    }
  }

  /** Looks at what others have counted; without it only adoption is less complete. */
  const refreshSoon = () =>
    (refreshing ??= refresh()
      .catch((error: unknown) => log.warn(`reading the baselines of other workers: ${messageOf(error)}`))
      .finally(() => (refreshing = undefined)));
  const timer = setInterval(() => void (assigned.size > 0 && refreshSoon()), REFRESH);
  timer.unref();

  async function openPartition(id: string): Promise<Partition> {
    await closing.get(id);
    const untilTaken = <T>(what: string, work: () => Promise<T>) => options.untilTaken(`${what} ${id}`, work);
    const claim = await untilTaken('claiming', () => states.claim(id, owner));
    const progress = decodeProgress(id, await untilTaken('reading', () => states.loadPartition(id)));
    let failures: { detector: string; event_id: string }[] = [];
    const engine = options.createEngine(id, peers, (detector, { event_id }, error) => {
      failures.push({ detector, event_id });
      options.onDetectorError(detector, event_id, error);
    });
    const takeFailures = () => {
      const taken = failures;
      failures = [];
      return taken;
    };
    engine.load(
      await untilTaken('reading the baselines of', () => states.loadSpace(POPULATION, { partition: id })),
    );
    engine.schedule(await untilTaken('reading the reviews of', () => states.loadReviews(id)));
    if (id !== LOCAL) await refreshSoon();
    // Whoever wrote the checkpoint may not have come to this.
    await untilTaken('finishing the last batch of', () => project(store, progress.outputs));
    const maxKeys = () => Math.floor(options.maxKeys / Math.max(1, opened.size));
    const partition = createPartition({ ...options, claim, engine, progress, maxKeys, takeFailures });
    opened.set(id, partition);
    foreign.delete(id);
    await options.onOpened(id);
    return partition;
  }

  async function giveUp(id: string, opening: Promise<Partition>): Promise<void> {
    const partition = await opening.catch(() => undefined);
    if (partition === undefined) return;
    await partition.close();
    opened.delete(id);
    // What it counted is still the best that is known of it here.
    foreign.set(id, partition.engine.population);
    await options.onClosed(id);
  }

  /** Lets go of a partition; it is not opened again before that has ended. */
  function closePartition(id: string): Promise<void> {
    const opening = open.get(id);
    if (opening === undefined) return closing.get(id) ?? Promise.resolve();
    open.delete(id);
    const done = giveUp(id, opening)
      .catch((error: unknown) => log.warn({ partition: id }, `closing: ${messageOf(error)}`))
      .finally(() => closing.delete(id));
    closing.set(id, done);
    return done;
  }

  /** Forgets a partition that failed: what memory holds of it is worth nothing then. */
  function watch(id: string, partition: Partition): Partition {
    return {
      ...partition,
      async take(batch) {
        try {
          await partition.take(batch);
        } catch (error) {
          if (isRecallError(error, 'ERR_STATE_FENCED')) {
            // To claim it back would only take it from whom the group gave it to.
            lost.add(id);
            if (id === LOCAL) options.onLocalLost(error);
          }
          if (opened.get(id) === partition) {
            log.warn({ partition: id }, `state partition is given up: ${messageOf(error)}`);
            await closePartition(id);
          }
          throw error;
        }
      },
    };
  }

  return {
    async of(id) {
      if (!isOurs(id)) {
        throw new RecallError('ERR_STATE_FENCED', `state partition ${id} is not assigned to this worker`);
      }
      let opening = open.get(id);
      if (opening === undefined) {
        opening = openPartition(id).then((partition) => watch(id, partition));
        open.set(id, opening);
        opening.catch(() => open.delete(id));
      }
      return await opening;
    },
    assigned(group, ids) {
      const before = assigned.get(group) ?? new Set();
      const now = new Set(ids);
      assigned.set(group, now);
      for (const id of now) lost.delete(id);
      for (const id of before) if (!now.has(id)) void closePartition(id);
    },
    keys() {
      const total: Record<string, number> = {};
      for (const { engine } of opened.values()) {
        for (const [detector, keys] of Object.entries(engine.keys()))
          total[detector] = (total[detector] ?? 0) + keys;
      }
      return total;
    },
    any() {
      for (const id of opened.keys()) return id;
      return undefined;
    },
    open: () => opened.size,
    async close() {
      clearInterval(timer);
      await Promise.all([...open.keys()].map(closePartition));
      await Promise.all(closing.values());
      await refreshing;
    },
  };
}
