import type { EnrichedAccessEvent } from '../../schemas/access-event.ts';
import type { Action } from '../../schemas/action.ts';
import type { AuthorizationEvent } from '../../schemas/authorization-event.ts';
import type { DeadLetter } from '../../schemas/dead-letter.ts';
import type { StateKey } from '../detection/keyed-state.ts';
import { messageOf, RecallError } from '../errors.ts';
import { digest } from '../formats/hash.ts';
import type { Arrival, SealedToken, Store } from '../store/port.ts';
import type { Claim, StateStore } from '../store/state.ts';
import type { Engine, Verdicts } from './engine.ts';
import { encodeProgress, isLate, takeOffset, type Outputs, type Progress } from './progress.ts';

/*
 * One state partition and the protocol that makes it durable; docs/durability.md tells what a crash between two steps
 * leads to. A batch goes through the steps below one after the other, and the next batch begins when they are done.
 */

/** An event with where it came from. */
export interface Arrived<E> {
  event: E;
  arrival: Arrival;
  /** Where it stood before the repartition topic. */
  forwarded?: { stream: string; offset: number } | undefined;
}

/** A batch as decoded: what there is to detect on, and what there is to store besides. */
export interface DecodedBatch {
  /** `topic/partition` of Kafka, with the offset of the last record, refused ones included. */
  origin?: string | undefined;
  lastOffset?: number | undefined;
  events: Arrived<EnrichedAccessEvent | AuthorizationEvent>[];
  custody: SealedToken[];
  deadLetters: DeadLetter[];
}

export interface PartitionDeps {
  claim: Claim;
  engine: Engine;
  progress: Progress;
  states: StateStore;
  store: Pick<Store, 'write'>;
  allowedLateness: number;
  /** States of detectors that memory may hold for this partition. */
  maxKeys(): number;
  /** Runs a write until it is taken; rejects where it never will be, or where the worker stops. */
  untilTaken: <T>(what: string, write: () => Promise<T>) => Promise<T>;
  /** Makes actions of what is to be recalled; says in the alert what is missing where it cannot be. */
  actionsOf(recalls: Verdicts['recalls'], partition: string, now: number): Promise<Action[]>;
  /** Takes what detectors failed on since it was last asked. */
  takeFailures: () => { detector: string; event_id: string }[];
  /** Told of events that came too late to be held against others, and of those that were taken before. */
  onSkipped(kind: 'late' | 'redelivered', count: number): void;
  /** Told of what a batch led to, once it is durable. */
  onDurable(outputs: Outputs): void;
}

/** A state partition that this worker owns. */
export interface Partition {
  readonly id: string;
  readonly engine: Engine;
  /** Whether a record was taken before: its redelivery is to be skipped, not detected on. */
  isTaken(origin: string, offset: number): boolean;
  /**
   * Takes a batch; resolves when all it led to is durable. Batches that come meanwhile go together.
   *
   * @throws RecallError ERR_STATE_FENCED where the partition is another worker's by now, and whatever keeps the batch
   *   from becoming durable; the partition is of no use after that, and is to be opened anew
   */
  take(batch: DecodedBatch): Promise<void>;
  /** Takes no more; resolves when the batch under way has ended. */
  close(): Promise<void>;
}

/** Records of batches that go together, at most. */
const RECORDS_AT_ONCE = 10_000;

interface Job {
  batch: DecodedBatch;
  resolve: () => void;
  reject: (error: unknown) => void;
}

const isEmpty = ({ findings, alerts, actions }: Outputs) =>
  findings.length + alerts.length + actions.length === 0;

/**
 * Makes dead letters of what detectors failed on: the event is stored, and that one detector has not seen it. For the
 * batches that brought the events.
 */
function setAside(
  batches: readonly DecodedBatch[],
  failures: readonly { detector: string; event_id: string }[],
  now: number,
): void {
  for (const { detector, event_id } of failures) {
    for (const { events, deadLetters } of batches) {
      const failed = events.find(({ event }) => event.event_id === event_id);
      if (failed === undefined) continue;
      deadLetters.push({
        dead_letter_id: digest('dead-letter', 'detect', detector, event_id),
        received_at: now,
        source: failed.arrival.source,
        position: failed.arrival.position,
        stream: failed.event.kind,
        step: 'detect',
        code: 'ERR_DETECTOR',
        reason: `detector ${detector} failed on event ${event_id}, which is stored; the log has the error`,
        size: 0,
        excerpt: '',
        sealed: '',
      });
      break;
    }
  }
}

/** Writes what a checkpoint decided to the tables people and outbox read. Every row may be written again. */
export async function project(store: Pick<Store, 'write'>, outputs: Outputs): Promise<void> {
  const { findings, alerts, actions } = outputs;
  if (isEmpty(outputs)) return;
  await store.write({ findings, alerts, actions }, { urgent: true });
}

export function createPartition(deps: PartitionDeps): Partition {
  const { claim, engine, progress, states, store } = deps;
  const id = claim.partition;
  const jobs: Job[] = [];
  let checkpoints = 0;
  let working: Promise<void> | undefined;
  /** Why no more batches are taken. */
  let closed: Error | undefined;

  async function hydrate(keys: readonly StateKey[]): Promise<void> {
    if (keys.length === 0) return;
    engine.load(await deps.untilTaken(`reading the state of ${id}`, () => states.loadStates(id, keys)));
  }

  /** The events that are to be detected on: neither forwarded twice nor too late. */
  function admit(batch: DecodedBatch): Arrived<EnrichedAccessEvent | AuthorizationEvent>[] {
    const { origin, lastOffset } = batch;
    if (origin !== undefined && lastOffset !== undefined) takeOffset(progress.offsets, origin, lastOffset);
    const before = batch.events.length;
    batch.events = batch.events.filter(
      ({ forwarded }) =>
        forwarded === undefined || takeOffset(progress.forwarded, forwarded.stream, forwarded.offset),
    );
    deps.onSkipped('redelivered', before - batch.events.length);
    for (const { event, arrival, forwarded } of batch.events) {
      const from = `${event.kind} ${forwarded?.stream ?? origin ?? arrival.source}`;
      if (isLate(progress.watermarks, from, event.time, deps.allowedLateness)) arrival.late = true;
    }
    const admitted = batch.events.filter(({ arrival }) => arrival.late !== true);
    deps.onSkipped('late', batch.events.length - admitted.length);
    return admitted;
  }

  async function detect(batches: readonly DecodedBatch[], now: number): Promise<Outputs> {
    const admitted = batches.flatMap(admit);
    const all = batches.flatMap((batch) => batch.events.map(({ event }) => event));
    await hydrate(engine.missingNames(all));
    engine.complete(all);
    // What was granted counts before its use.
    const events = (['authorization', 'access'] as const).flatMap((kind) =>
      admitted.flatMap(({ event }) => (event.kind === kind ? [event] : [])),
    );
    await hydrate(engine.missing(events));
    const times = events.flatMap((event) => (event.kind === 'access' ? [event.time] : []));
    await hydrate(engine.missingForReview(times.reduce((a, b) => Math.max(a, b), -Infinity)));
    const found = engine.detect(events);
    setAside(batches, deps.takeFailures(), now);
    await hydrate(engine.missingIncidents(found));
    const { findings, alerts, recalls } = engine.decide(found, now);
    for (const alert of alerts) alert.partition = id;
    return { findings, alerts, actions: await deps.actionsOf(recalls, id, now) };
  }

  async function run(batches: readonly DecodedBatch[]): Promise<void> {
    const outputs = await detect(batches, Date.now());
    progress.outputs = outputs;
    // 1. Evidence. A crash from here to step 2 brings the records again: same ids, stored once, nothing was decided yet.
    await deps.untilTaken(`storing events of ${id}`, () =>
      Promise.all(batches.map((batch) => writeEvents(batch, !isEmpty(outputs)))),
    );
    // 2. State, offsets and decisions, together or not at all, and only while the claim holds: this is the commit.
    //    After it the records are skipped when they come again, and what was decided is decided.
    const changed = engine.changed();
    if (changed.length > 0 || batches.some(({ origin }) => origin !== undefined)) {
      checkpoints += 1;
      const number = checkpoints;
      const whole = encodeProgress(progress);
      await deps.untilTaken(`checkpoint of ${id}`, () => states.checkpoint(claim, number, whole, changed));
    }
    // 3. What was decided goes to its tables. A crash in here: whoever opens the partition next does it again.
    await deps.untilTaken(`storing findings of ${id}`, () => project(store, outputs));
    engine.settle(deps.maxKeys());
    // 4. Only now does anybody act on it; and the source may commit its offsets, which merely saves a redelivery.
    deps.onDurable(outputs);
  }

  async function writeEvents({ events, custody, deadLetters }: DecodedBatch, urgent: boolean): Promise<void> {
    const access_events: { event: EnrichedAccessEvent; arrival: Arrival }[] = [];
    const authorization_events: { event: AuthorizationEvent; arrival: Arrival }[] = [];
    for (const { event, arrival } of events) {
      if (event.kind === 'access') access_events.push({ event, arrival });
      else authorization_events.push({ event, arrival });
    }
    const rows = { access_events, authorization_events, custody, dead_letters: deadLetters };
    await store.write(rows, { urgent });
  }

  function nextJobs(): Job[] {
    let records = 0;
    const end = jobs.findIndex(({ batch }) => (records += batch.events.length) >= RECORDS_AT_ONCE);
    return jobs.splice(0, end === -1 ? jobs.length : end + 1);
  }

  async function work(): Promise<void> {
    for (let some = nextJobs(); some.length > 0; some = nextJobs()) {
      try {
        await run(some.map(({ batch }) => batch));
        for (const { resolve } of some) resolve();
      } catch (error) {
        // Memory is ahead of what is durable now: nothing more may be built on it.
        closed = error instanceof Error ? error : new Error(messageOf(error));
        for (const { reject } of [...some, ...jobs.splice(0)]) reject(error);
      }
    }
    working = undefined;
  }

  return {
    id,
    engine,
    isTaken: (origin, offset) => offset <= (progress.offsets[origin] ?? -1),
    take: (batch) =>
      new Promise((resolve, reject) => {
        if (closed !== undefined) {
          reject(closed);
          return;
        }
        jobs.push({ batch, resolve, reject });
        working ??= work();
      }),
    async close() {
      closed ??= new RecallError('ERR_STATE_FENCED', `state partition ${id} was given up by this worker`);
      await working;
    },
  };
}
