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
   * A failure is not retried here: it is the caller who still holds the logs and pushes them again.
   *
   * @param body decompressed
   * @throws RecallError ERR_SOURCE_UNAVAILABLE while the source does not run, ERR_CONFIG_INVALID for an unknown
   *   format, ERR_DECODE_JSON where an array is none, and whatever the handler throws
   */
  push(body: Uint8Array, contentType: string, stream: Stream, format: string): Promise<BatchOutcome>;
}

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

/** HTTP push: what the API was handed becomes batches; the API authenticates, decompresses and bounds the body. */
export function createHttpSource({ maxLine }: SourceDependencies): HttpSource {
  const health = createHealth('not started');
  let handler: BatchHandler | null = null;
  const underWay = new Set<Promise<BatchOutcome>>();

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
      formatNamed(format);
      const pushed = handle(handler, recordsOf(body, contentType, maxLine), { stream, format });
      underWay.add(pushed);
      try {
        return await pushed;
      } finally {
        underWay.delete(pushed);
      }
    },
    health: () => health.current(),
  };
}
