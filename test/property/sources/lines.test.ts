import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchesOf, BATCH_BYTES, BATCH_RECORDS } from '../../../src/sources/batches.ts';
import { splitJsonArray } from '../../../src/sources/json-array.ts';
import { createLineSplitter } from '../../../src/sources/lines.ts';

const text = fc
  .array(fc.constantFrom('a', 'bc', '\n', '\r\n', '\r', '😀', 'x'.repeat(12)), { maxLength: 60 })
  .map((parts) => Buffer.from(parts.join('')));

describe('createLineSplitter', () => {
  it('gives the same records however the bytes are cut', () => {
    fc.assert(
      fc.property(text, fc.array(fc.nat(200), { maxLength: 20 }), (bytes, cuts) => {
        const whole = createLineSplitter(10);
        const cut = createLineSplitter(10);
        const expected = [...whole.push(bytes), ...whole.end()];
        const borders = [
          0,
          ...cuts.map((at) => Math.min(at, bytes.length)).sort((a, b) => a - b),
          bytes.length,
        ];
        const found = borders.flatMap((at, index) => cut.push(bytes.subarray(borders[index - 1] ?? 0, at)));
        found.push(...cut.end());
        const plain = (records: typeof found) =>
          records.map(({ bytes: line, ...rest }) => ({ ...rest, line: Buffer.from(line).toString('hex') }));
        expect(plain(found)).toEqual(plain(expected));
      }),
      { numRuns: 2_000 },
    );
  });

  it('loses no byte but line ends', () => {
    fc.assert(
      fc.property(text, (bytes) => {
        const splitter = createLineSplitter(1_000);
        const lines = [...splitter.push(bytes), ...splitter.end()].map((record) =>
          Buffer.from(record.bytes).toString(),
        );
        const expected = bytes
          .toString()
          .split('\n')
          .map((line) => line.replace(/\r$/, ''))
          .filter((line) => line !== '');
        expect(lines).toEqual(expected);
      }),
    );
  });
});

it('batchesOf keeps all records in order, within the bounds', () => {
  const sizes = fc.array(fc.constantFrom(10, 1_000, 500_000, BATCH_BYTES, BATCH_BYTES + 1), {
    maxLength: 60,
  });
  const shared = Buffer.alloc(BATCH_BYTES + 1);
  fc.assert(
    fc.property(sizes, fc.nat(2 * BATCH_RECORDS), (lengths, small) => {
      const records = [...lengths, ...Array.from({ length: small }, () => 1)].map((length, at) => ({
        bytes: shared.subarray(0, length),
        position: String(at),
      }));
      const batches = batchesOf({ source: 's', stream: 'access', format: 'f' }, records);
      const positions = batches.flatMap((batch) => batch.records.map((record) => record.position));
      expect(positions).toEqual(records.map((record) => record.position));
      for (const batch of batches) {
        const bytes = batch.records.reduce((sum, record) => sum + record.bytes.byteLength, 0);
        expect(batch.records.length).toBeLessThanOrEqual(BATCH_RECORDS);
        if (batch.records.length > 1) expect(bytes).toBeLessThanOrEqual(BATCH_BYTES);
      }
    }),
    { numRuns: 30 },
  );
});

describe('splitJsonArray', () => {
  it('finds the elements that JSON.parse finds, as they were written', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.constantFrom(0, 1, '\t'), (values, indent) => {
        const body = Buffer.from(JSON.stringify(values, null, indent));
        const elements = splitJsonArray(body).map(
          (bytes) => JSON.parse(Buffer.from(bytes).toString()) as unknown,
        );
        expect(elements).toEqual(JSON.parse(body.toString()));
      }),
      { numRuns: 1_000 },
    );
  });

  it('refuses or splits any bytes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...Array.from('[]{}",\\ a1')), { maxLength: 30 }),
        (characters) => {
          try {
            splitJsonArray(Buffer.from(characters.join('')));
          } catch (error) {
            expect(error).toMatchObject({ code: 'ERR_DECODE_JSON' });
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
