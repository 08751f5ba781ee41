import { open, stat, type FileHandle } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { createBatcher } from './batches.ts';
import { handOver } from './hand-over.ts';
import { createLineSplitter, type LineSplitter } from './lines.ts';
import type { BatchHandler, SourceBatch } from './port.ts';
import type { StreamReading } from './read-stream.ts';
import { messageOf, RecallError } from '../errors.ts';

/** How often a file at its end is looked at, ms. */
const POLL = 250;
/** How long a rotated file must stay quiet before it is left: writers reopen with a delay. In looks. */
const QUIET_LOOKS = 4;
const READ_SIZE = 2 ** 18;
/** Bytes before the reading position that are held against the file, to notice that it was rewritten. */
const TAIL = 64;

/** One file under the followed path, open: renamed and even deleted it can still be read to its end. */
interface Opened {
  readonly handle: FileHandle;
  readonly dev: number;
  readonly ino: number;
  readonly splitter: LineSplitter;
  position: number;
  /** The last bytes read. */
  tail: Buffer;
  /** Looks in a row that found nothing new. */
  quiet: number;
}

/** A failure to read the file at `path`, in words. */
export function readError(path: string, cause: unknown): RecallError {
  return new RecallError('ERR_SOURCE_READ', `cannot read ${path}: ${messageOf(cause)}`, { cause });
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** Opens what is at `path` now, unless that is `known`, or nothing. */
async function openNewer(path: string, known: Opened | undefined, maxLine: number): Promise<Opened | null> {
  try {
    const found = await stat(path);
    if (known !== undefined && found.ino === known.ino && found.dev === known.dev) return null;
    const handle = await open(path, 'r');
    const { dev, ino } = await handle.stat();
    return {
      handle,
      dev,
      ino,
      splitter: createLineSplitter(maxLine),
      position: 0,
      tail: Buffer.alloc(0),
      quiet: 0,
    };
  } catch (error) {
    if (isMissing(error)) return null;
    throw readError(path, error);
  }
}

/** Whether the file was emptied and written anew since the last read (copytruncate, an editor). */
async function wasRewritten(file: Opened): Promise<boolean> {
  const { size } = await file.handle.stat();
  if (size === file.position || file.tail.length === 0) return false;
  // Where the file is shorter now, fewer bytes come back, or none.
  const { buffer, bytesRead } = await file.handle.read(
    Buffer.alloc(file.tail.length),
    0,
    file.tail.length,
    file.position - file.tail.length,
  );
  return !buffer.subarray(0, bytesRead).equals(file.tail);
}

/** The next bytes of the file; empty at its end. */
async function readNext(file: Opened): Promise<Buffer> {
  const { buffer, bytesRead } = await file.handle.read(Buffer.alloc(READ_SIZE), 0, READ_SIZE, file.position);
  const chunk = buffer.subarray(0, bytesRead);
  file.position += bytesRead;
  if (bytesRead > 0) file.tail = Buffer.concat([file.tail, chunk.subarray(-TAIL)]).subarray(-TAIL);
  return chunk;
}

/**
 * Reads a file from its beginning and keeps reading what is appended, until `signal` aborts. Waits for the file
 * to appear. Through rotation by rename the old file is read until it has stayed quiet for a second, so that what
 * a slow writer still puts there is not lost, then the new one from its beginning; files of further rotations
 * queue up meanwhile. Through copytruncate, reading begins anew at the start of the emptied file; what was
 * written between the last read and the emptying is lost by the nature of that method.
 *
 * A line without an end waits for it; of a file that is left or emptied it counts as it is.
 *
 * @throws RecallError ERR_SOURCE_READ for a failure other than that the file is missing
 */
export async function followFile(
  path: string,
  onBatch: BatchHandler,
  reading: Omit<StreamReading, 'idle'>,
): Promise<void> {
  const { health, signal } = reading;
  const batcher = createBatcher(reading.head);
  const files: Opened[] = [];

  function readable<T>(reads: Promise<T>): Promise<T> {
    return reads.catch((error: unknown) => {
      throw readError(path, error);
    });
  }

  async function deliver(batches: readonly SourceBatch[]): Promise<void> {
    for (const batch of batches) await handOver(batch, onBatch, reading);
  }

  /** Reads everything there is now; returns whether there was anything. */
  async function drain(file: Opened): Promise<boolean> {
    let any = false;
    if (await readable(wasRewritten(file))) {
      await deliver(batcher.add(file.splitter.end()));
      file.position = 0;
      file.tail = Buffer.alloc(0);
    }
    while (!signal.aborted) {
      const chunk = await readable(readNext(file));
      if (chunk.length === 0) break;
      any = true;
      await deliver(batcher.add(file.splitter.push(chunk)));
    }
    await deliver(batcher.rest());
    return any;
  }

  try {
    while (!signal.aborted) {
      const newer = await openNewer(path, files.at(-1), reading.maxLine);
      const [file = newer] = files;
      if (newer !== null) {
        files.push(newer);
        // The wait for slow writers begins with the rotation.
        if (file !== null) file.quiet = 0;
      }
      if (file === null) {
        health.ok(`${path}: waiting for the file to appear`);
      } else {
        file.quiet = (await drain(file)) ? 0 : file.quiet + 1;
        health.ok(
          files.length > 1
            ? `${path}: rotated, reading the old file to its end`
            : `${path}: followed to byte ${file.position}`,
        );
        if (files.length > 1 && file.quiet >= QUIET_LOOKS) {
          await deliver([...batcher.add(file.splitter.end()), ...batcher.rest()]);
          files.shift();
          await file.handle.close();
          continue;
        }
      }
      await delay(POLL, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    await Promise.all(files.map((file) => file.handle.close()));
  }
}
