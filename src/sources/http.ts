import { RecallError } from '../errors.ts';
import { formatNamed } from '../formats/registry.ts';
import { batchesOf } from './batches.ts';
import { createHealth } from './health.ts';
import { splitJsonArray } from './json-array.ts';
import { createLineSplitter, refusedRecord, REFUSED_HEAD } from './lines.ts';
import type { BatchHandler, BatchOutcome, Source, SourceRecord, Stream } from './port.ts';
import type { SourceDependencies } from './stdin.ts';

/** The source that the API feeds with what is pushed to it. */
export interface HttpSource extends Source {
  /**
   * Takes the body of one push: NDJSON, or, of type `application/json`, an array of events or one event.
   * Resolves when all of it is durable.
   *
   * A failure is not retried here: it is the caller who still holds the logs and pushes them again. What is not
   * durable within 30 s is refused, while its writing goes on: the events may still be stored. Sending them again is
   * safe: their ids are functions of their content, and the store keeps one of each.
   *
   * @param body decompressed
   * @throws RecallError ERR_SOURCE_UNAVAILABLE while the source does not run, while 64 pushes or 64 MiB of them wait
   *   to become durable (nothing is taken then), and after 30 s; ERR_CONFIG_INVALID for an unknown format, ERR_DECODE_JSON where an array is none, and whatever the handler throws
   */
  push(body: Uint8Array, contentType: string, stream: Stream, format: string): Promise<BatchOutcome>;
}

/** Bounds of what waits to become durable: without them a store that is away would fill the memory with repeats. */
const MOST_PUSHES = 64;
const MOST_BYTES = 64 * 2 ** 20;
/** Senders commonly give up after 60 s; they are to hear from us before, in milliseconds. */
const ANSWER_WITHIN = 30_000;

function recordsOf(body: Uint8Array, contentType: string, maxLine: number): SourceRecord[] {
  const type = contentType.split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/json') {
    const splitter = createLineSplitter(maxLine);
    return [...splitter.push(body), ...splitter.end()];
  }
  const first = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    .toString('latin1', 0, 64)
    .trim()[0];
  const elements = first === '[' ? splitJsonArray(body) : [body];
  return elements.map((bytes, index) => {
    const position = String(index + 1);
    return bytes.byteLength <= maxLine
      ? { bytes, position }
      : refusedRecord(bytes.subarray(0, REFUSED_HEAD), bytes.byteLength, maxLine, position);
  });
}

/** What `pushed` comes to, or ERR_SOURCE_UNAVAILABLE where that takes too long. */
async function inTime(pushed: Promise<BatchOutcome>): Promise<BatchOutcome> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const what = `not durable after ${ANSWER_WITHIN / 1000} s; it may still be stored: push the same again`;
      reject(new RecallError('ERR_SOURCE_UNAVAILABLE', what));
    }, ANSWER_WITHIN);
  });
  try {
    return await Promise.race([pushed, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** HTTP push: what the API was handed becomes batches; the API authenticates, decompresses and bounds the body. */
export function createHttpSource({ maxLine }: SourceDependencies): HttpSource {
  const health = createHealth('not started');
  let handler: BatchHandler | null = null;
  const underWay = new Set<Promise<BatchOutcome>>();
  let bytesUnderWay = 0;

  /** Whether a body has no room beside what waits; alone it always has: `api.max_body` bounds it. */
  const isFull = (bytes: number) =>
    underWay.size >= MOST_PUSHES || (underWay.size > 0 && bytesUnderWay + bytes > MOST_BYTES);

  async function handle(
    onBatch: BatchHandler,
    records: readonly SourceRecord[],
    head: { stream: Stream; format: string },
  ): Promise<BatchOutcome> {
    let accepted = 0;
    let deadLetters = 0;
    for (const batch of batchesOf({ source: 'http', ...head }, records)) {
      const outcome = await onBatch(batch);
      accepted += outcome.accepted;
      deadLetters += outcome.deadLetters;
    }
    return { accepted, deadLetters };
  }

  return {
    name: 'http',
    async run(onBatch, signal) {
      if (signal.aborted) return;
      handler = onBatch;
      health.ok('taking pushes');
      await new Promise<void>((resolve) => {
        const close = () => {
          handler = null;
          resolve();
        };
        signal.addEventListener('abort', close, { once: true });
      });
      await Promise.allSettled(underWay);
      health.ok('stopped');
    },
    async push(body, contentType, stream, format) {
      if (handler === null) {
        throw new RecallError('ERR_SOURCE_UNAVAILABLE', 'not taking logs right now; push again later');
      }
      if (isFull(body.byteLength)) {
        throw new RecallError(
          'ERR_SOURCE_UNAVAILABLE',
          `${underWay.size} pushes of ${bytesUnderWay} bytes wait to become durable; push again later`,
        );
      }
      formatNamed(format);
      const pushed = handle(handler, recordsOf(body, contentType, maxLine), { stream, format });
      underWay.add(pushed);
      bytesUnderWay += body.byteLength;
      const ended = () => {
        underWay.delete(pushed);
        bytesUnderWay -= body.byteLength;
      };
      // Counts until it is durable or refused, not until it is answered: so long its bytes are in memory.
      pushed.then(ended, ended);
      return inTime(pushed);
    },
    health: () => health.current(),
  };
}
