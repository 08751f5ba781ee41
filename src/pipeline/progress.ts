import type { Action } from '../../schemas/action.ts';
import type { Alert } from '../../schemas/alert.ts';
import type { Finding } from '../../schemas/finding.ts';
import { RecallError } from '../errors.ts';

/** What a batch led to, decided once: a checkpoint holds it until it is in its own tables. */
export interface Outputs {
  findings: readonly Finding[];
  alerts: readonly Alert[];
  actions: readonly Action[];
}

/** What a checkpoint keeps of a state partition as a whole. */
export interface Progress {
  /** Offset of the last record taken, by origin (`topic/partition`). */
  offsets: Record<string, number>;
  /** The same for records that came through the repartition topic, by the origin they had before. */
  forwarded: Record<string, number>;
  /** Latest event time seen, epoch milliseconds, by what the events came from. */
  watermarks: Record<string, number>;
  outputs: Outputs;
}

const VERSION = 1;

export const noOutputs = (): Outputs => ({ findings: [], alerts: [], actions: [] });

/** Where a partition begins that nobody has read yet. */
export const newProgress = (): Progress => ({
  offsets: {},
  forwarded: {},
  watermarks: {},
  outputs: noOutputs(),
});

export function encodeProgress(progress: Progress): string {
  return JSON.stringify({ v: VERSION, ...progress });
}

/** @throws RecallError ERR_STATE_VERSION where a newer version of the product wrote it */
export function decodeProgress(partition: string, text: string | null): Progress {
  if (text === null) return newProgress();
  const { v, ...progress } = JSON.parse(text) as Progress & { v: number };
  if (v === VERSION) return progress;
  throw new RecallError(
    'ERR_STATE_VERSION',
    `state partition ${partition} was written by a newer version (${v}): upgrade this one`,
  );
}

/** Tells a record that was taken before, and takes note of one that was not. */
export function takeOffset(taken: Record<string, number>, origin: string, offset: number): boolean {
  if (offset <= (taken[origin] ?? -1)) return false;
  taken[origin] = offset;
  return true;
}

/**
 * Tells whether an event came later than is allowed, and moves the watermark of what it came from: the latest event
 * time seen there (Akidau et al., The Dataflow Model, 2015, section 2.3, as a heuristic watermark).
 */
export function isLate(
  watermarks: Record<string, number>,
  from: string,
  time: number,
  allowedLateness: number,
): boolean {
  const watermark = watermarks[from] ?? -Infinity;
  if (time < watermark - allowedLateness) return true;
  if (time > watermark) watermarks[from] = time;
  return false;
}
