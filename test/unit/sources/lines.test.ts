import { describe, expect, it } from 'vitest';
import { createLineSplitter, REFUSED_HEAD } from '../../../src/sources/lines.ts';
import type { SourceRecord } from '../../../src/sources/port.ts';

function split(text: string, maxLine = 1_000): SourceRecord[] {
  const splitter = createLineSplitter(maxLine);
  return [...splitter.push(Buffer.from(text)), ...splitter.end()];
}
const shown = (records: SourceRecord[]) =>
  records.map(({ bytes, position }) => [position, Buffer.from(bytes).toString()]);

describe('createLineSplitter', () => {
  it('cuts on LF and CRLF, skips empty lines but counts them, and takes a last line without end', () => {
    expect(shown(split('a\nb\r\n\n\r\nc'))).toEqual([
      ['1', 'a'],
      ['2', 'b'],
      ['5', 'c'],
    ]);
    expect(split('')).toEqual([]);
    expect(split('\n\n')).toEqual([]);
  });

  it('begins a new file after end', () => {
    const splitter = createLineSplitter(10);
    splitter.push(Buffer.from('a\nb'));
    expect(shown(splitter.end())).toEqual([['2', 'b']]);
    expect(shown(splitter.push(Buffer.from('c\n')))).toEqual([['1', 'c']]);
  });

  it('refuses longer lines with their size and beginning, and takes those that just fit', () => {
    expect(split('1234567890\r\n', 10)[0]?.refused).toBeUndefined();
    expect(split('1234567890', 10)[0]?.refused).toBeUndefined();
    const [refused, next] = split('12345678901\nnext', 10);
    expect(refused).toMatchObject({
      position: '1',
      refused: {
        code: 'ERR_DECODE_TOO_LARGE',
        size: 11,
        reason: '11 bytes; the largest record taken is 10 (max_line)',
      },
    });
    expect(shown([next!])).toEqual([['2', 'next']]);
  });

  it('never holds more of a line than is taken', () => {
    const splitter = createLineSplitter(50_000);
    const MiB = 2 ** 20;
    const before = process.memoryUsage().arrayBuffers;
    for (let at = 0; at < 1_000; at += 1) expect(splitter.push(Buffer.alloc(MiB, 0x78))).toHaveLength(0);
    // Holding the line would take 1000 MiB; what is garbage already may still be counted.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(500 * MiB);
    const [record] = splitter.push(Buffer.from('\n'));
    expect(record?.refused?.size).toBe(1_000 * MiB);
    expect(record?.bytes.byteLength).toBe(REFUSED_HEAD);
    expect(record?.bytes.buffer.byteLength).toBe(REFUSED_HEAD);
  });
});
