import type { SourceRecord } from './port.ts';

const LF = 0x0a;
const CR = 0x0d;

/** What is kept of a line that is too long: enough for an excerpt. */
export const REFUSED_HEAD = 16_384;

/** Cuts a stream of bytes into lines, at any chunk boundary the same. */
export interface LineSplitter {
  /** Takes the next bytes; returns the lines they complete, as views of them: a chunk must not be reused. */
  push(chunk: Uint8Array): SourceRecord[];
  /** The last line, where the bytes did not end in a line end. The splitter then begins a new file. */
  end(): SourceRecord[];
}

/** The record of a line or message of more than `max` bytes, of which only the beginning is at hand. */
export function refusedRecord(head: Uint8Array, size: number, max: number, position: string): SourceRecord {
  const reason = `${size} bytes; the largest record taken is ${max} (max_line)`;
  return { bytes: head, position, refused: { code: 'ERR_DECODE_TOO_LARGE', reason, size } };
}

/**
 * A splitter on LF or CRLF that skips empty lines. Positions are line numbers from 1 and count every line.
 * A line of more than `maxLine` bytes becomes a refused record with its first 16 KiB; no more of it than
 * `maxLine` is ever held.
 */
export function createLineSplitter(maxLine: number): LineSplitter {
  let number = 0;
  // The line under way: its pieces while it may still fit, else its beginning; and how long it is.
  let pieces: Uint8Array[] = [];
  let held = 0;
  let length = 0;

  function add(piece: Uint8Array): void {
    length += piece.byteLength;
    // One byte more than allowed, for the CR of a line that just fits.
    const room = maxLine + 1 - held;
    const kept = piece.byteLength > room ? piece.subarray(0, room) : piece;
    if (kept.byteLength === 0) return;
    pieces.push(kept);
    held += kept.byteLength;
  }

  function complete(): SourceRecord | null {
    number += 1;
    let bytes = pieces.length === 1 ? (pieces[0] ?? new Uint8Array()) : Buffer.concat(pieces);
    const position = String(number);
    let size = length;
    pieces = [];
    held = 0;
    length = 0;
    if (size === bytes.byteLength && bytes.at(-1) === CR) {
      bytes = bytes.subarray(0, -1);
      size -= 1;
    }
    if (size > maxLine) {
      return refusedRecord(Uint8Array.from(bytes.subarray(0, REFUSED_HEAD)), size, maxLine, position);
    }
    return size === 0 ? null : { bytes, position };
  }

  return {
    push(chunk) {
      const records: SourceRecord[] = [];
      let start = 0;
      for (let at = chunk.indexOf(LF); at !== -1; at = chunk.indexOf(LF, start)) {
        add(chunk.subarray(start, at));
        const record = complete();
        if (record !== null) records.push(record);
        start = at + 1;
      }
      if (start < chunk.byteLength) add(chunk.subarray(start));
      return records;
    },
    end() {
      const record = length === 0 ? null : complete();
      pieces = [];
      held = 0;
      length = 0;
      number = 0;
      return record === null ? [] : [record];
    },
  };
}
