import { createHash } from 'node:crypto';
import { RecallError, isRecallError } from '../errors.ts';
import type { WriteOptions } from './port.ts';
import type { TableRows } from './rows.ts';

export interface WriterOptions {
  /** Runs an INSERT statement with encoded rows; `token` is the same for the same rows. Resolves when acknowledged. */
  insert: (statement: string, chunks: readonly Uint8Array[], token: string) => Promise<unknown>;
  /** Shortest time between the beginnings of two inserts into a table, in milliseconds, unless rows are many or urgent. */
  flushInterval: number;
  /** Rows that cause an insert at once. */
  flushRows: number;
}

/**
 * Group commit: rows of concurrent calls share inserts, and each call hears of its own rows only. Rows wait only for
 * an insert into their table that is under way, or that began less than the flush interval ago.
 */
export interface Writer {
  /**
   * Resolves when all rows are acknowledged.
   *
   * @throws RecallError what `insert` threw for these rows; ERR_STORE_UNAVAILABLE where some may still be taken
   */
  add(tables: readonly TableRows[], options?: WriteOptions): Promise<void>;
  /**
   * Refuses what comes later, and inserts what waits: resolves when every call was answered, at the latest after
   * `deadline` milliseconds. Rows that no insert took by then fail with ERR_STORE_UNAVAILABLE.
   */
  close(deadline?: number): Promise<void>;
}

/** The rows of one call for one table, encoded. */
interface Entry {
  readonly chunks: readonly Uint8Array[];
  readonly count: number;
  readonly urgent: boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface Buffer {
  entries: Entry[];
  count: number;
  timer: NodeJS.Timeout | undefined;
  /** Whether an insert is under way. One a table: what comes meanwhile makes the next one larger. */
  flushing: boolean;
  /** When the latest insert began, on the clock of `performance.now()`. */
  begun: number;
}

const unavailable = () => new RecallError('ERR_STORE_UNAVAILABLE', 'the store is closed');

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
  /** Past the deadline of closing. */
  let over = false;

  function bufferOf(statement: string): Buffer {
    let buffer = buffers.get(statement);
    if (buffer === undefined) {
      buffer = { entries: [], count: 0, timer: undefined, flushing: false, begun: -Infinity };
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

  /** Begins the next insert of the table now, or sees to it that it begins when its time comes. */
  function schedule(statement: string, buffer: Buffer): void {
    if (buffer.flushing || buffer.entries.length === 0) return;
    const now = closed || buffer.count >= flushRows || buffer.entries.some(({ urgent }) => urgent);
    const wait = now ? 0 : buffer.begun + flushInterval - performance.now();
    if (wait <= 0) flush(statement, buffer);
    else buffer.timer ??= setTimeout(() => flush(statement, buffer), wait);
  }

  function flush(statement: string, buffer: Buffer): void {
    clearTimeout(buffer.timer);
    buffer.timer = undefined;
    let rows = 0;
    const end = buffer.entries.findIndex((entry) => (rows += entry.count) >= flushRows);
    const entries = buffer.entries.splice(0, end === -1 ? buffer.entries.length : end + 1);
    buffer.count -= rows;
    buffer.flushing = true;
    buffer.begun = performance.now();
    void insertTogether(statement, entries).then(() => {
      buffer.flushing = false;
      schedule(statement, buffer);
    });
  }

  function put(statement: string, entry: Omit<Entry, 'resolve' | 'reject'>): Promise<void> {
    return new Promise((resolve, reject) => {
      if (over) throw unavailable();
      const buffer = bufferOf(statement);
      buffer.entries.push({ ...entry, resolve, reject });
      buffer.count += entry.count;
      schedule(statement, buffer);
    });
  }

  async function addAll(tables: readonly TableRows[], urgent: boolean): Promise<void> {
    const outcomes = await Promise.allSettled(
      tables.map(async ({ statement, count, encode }) =>
        put(statement, { chunks: await encode(), count, urgent }),
      ),
    );
    const failures = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [outcome.reason as unknown] : [],
    );
    const retryable = failures.find((failure) => isRecallError(failure, 'ERR_STORE_UNAVAILABLE'));
    if (failures.length > 0) throw retryable ?? failures[0];
  }

  /** Fails the rows that no insert took. Those under way are answered by their insert. */
  function giveUp(): void {
    over = true;
    for (const buffer of buffers.values())
      for (const entry of buffer.entries.splice(0)) entry.reject(unavailable());
  }

  return {
    async add(tables, { urgent = false } = {}) {
      if (closed) throw unavailable();
      const added = addAll(tables, urgent);
      calls.add(added);
      try {
        await added;
      } finally {
        calls.delete(added);
      }
    },
    async close(deadline) {
      closed = true;
      for (const [statement, buffer] of buffers) schedule(statement, buffer);
      const answered = Promise.allSettled(calls);
      if (deadline === undefined) {
        await answered;
        return;
      }
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, deadline);
      });
      await Promise.race([answered, late]);
      clearTimeout(timer);
      giveUp();
    },
  };
}
