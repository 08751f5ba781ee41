import { createHash } from 'node:crypto';
import { RecallError, isRecallError } from '../errors.ts';
import type { TableRows } from './rows.ts';

export interface WriterOptions {
  /** Runs an INSERT statement with encoded rows; `token` is the same for the same rows. Resolves when acknowledged. */
  insert: (statement: string, chunks: readonly Uint8Array[], token: string) => Promise<void>;
  /** Longest time rows wait for others to share an insert, in milliseconds. */
  flushInterval: number;
  /** Rows that cause an insert at once. */
  flushRows: number;
}

/** Group commit: rows of concurrent calls share inserts, and each call hears of its own rows only. */
export interface Writer {
  /**
   * Resolves when all rows are acknowledged.
   *
   * @throws RecallError what `insert` threw for these rows; ERR_STORE_UNAVAILABLE where some may still be taken
   */
  add(tables: readonly TableRows[]): Promise<void>;
  /** Inserts what waits, and refuses what comes later. */
  close(): Promise<void>;
}

/** The rows of one call for one table, encoded. */
interface Entry {
  readonly chunks: readonly Uint8Array[];
  readonly count: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface Buffer {
  entries: Entry[];
  count: number;
  timer: NodeJS.Timeout | undefined;
  /** The insert under way. One a table: what comes meanwhile makes the next one larger. */
  flushing: Promise<void> | undefined;
}

/** Digest of rows: ClickHouse drops an insert whose token it has just seen, such as a retry of one it did take. */
function deduplicationToken(chunks: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest('hex');
}

/** Creates a writer. */
export function createWriter({ insert, flushInterval, flushRows }: WriterOptions): Writer {
  const buffers = new Map<string, Buffer>();
  const calls = new Set<Promise<void>>();
  let closed = false;

  function bufferOf(statement: string): Buffer {
    let buffer = buffers.get(statement);
    if (buffer === undefined) {
      buffer = { entries: [], count: 0, timer: undefined, flushing: undefined };
      buffers.set(statement, buffer);
    }
    return buffer;
  }

  async function insertTogether(statement: string, entries: readonly Entry[]): Promise<void> {
    const chunks = entries.flatMap((entry) => entry.chunks);
    try {
      await insert(statement, chunks, deduplicationToken(chunks));
    } catch (error) {
      if (entries.length > 1 && isRecallError(error, 'ERR_STORE_REFUSED')) {
        // One call's bad row must not cost the others theirs.
        for (const entry of entries) await insertTogether(statement, [entry]);
      } else {
        for (const entry of entries) entry.reject(error);
      }
      return;
    }
    for (const entry of entries) entry.resolve();
  }

  function flush(statement: string, buffer: Buffer): void {
    if (buffer.flushing !== undefined || buffer.entries.length === 0) return;
    clearTimeout(buffer.timer);
    buffer.timer = undefined;
    let rows = 0;
    const end = buffer.entries.findIndex((entry) => (rows += entry.count) >= flushRows);
    const entries = buffer.entries.splice(0, end === -1 ? buffer.entries.length : end + 1);
    buffer.count -= rows;
    buffer.flushing = insertTogether(statement, entries).finally(() => {
      buffer.flushing = undefined;
      // What came meanwhile: at once if its time is over, else it goes on waiting for company.
      if (buffer.timer === undefined || buffer.count >= flushRows) flush(statement, buffer);
    });
  }

  function put(statement: string, chunks: readonly Uint8Array[], count: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const buffer = bufferOf(statement);
      buffer.entries.push({ chunks, count, resolve, reject });
      buffer.count += count;
      buffer.timer ??= setTimeout(
        () => {
          buffer.timer = undefined;
          flush(statement, buffer);
        },
        closed ? 0 : flushInterval,
      );
      if (buffer.count >= flushRows) flush(statement, buffer);
    });
  }

  async function addAll(tables: readonly TableRows[]): Promise<void> {
    const outcomes = await Promise.allSettled(
      tables.map(async ({ statement, count, encode }) => put(statement, await encode(), count)),
    );
    const failures = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [outcome.reason as unknown] : [],
    );
    const retryable = failures.find((failure) => isRecallError(failure, 'ERR_STORE_UNAVAILABLE'));
    if (failures.length > 0) throw retryable ?? failures[0];
  }

  return {
    async add(tables) {
      if (closed) throw new RecallError('ERR_STORE_UNAVAILABLE', 'the store is closed');
      const added = addAll(tables);
      calls.add(added);
      try {
        await added;
      } finally {
        calls.delete(added);
      }
    },
    async close() {
      closed = true;
      for (const [statement, buffer] of buffers) flush(statement, buffer);
      await Promise.allSettled(calls);
    },
  };
}
