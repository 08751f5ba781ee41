import { randomBytes } from 'node:crypto';
import { compressFrame } from 'lz4-napi';
import { compress } from 'snappy';
import { describe, expect, it } from 'vitest';
import { lz4, snappy, zstd } from '../../../src/sources/kafka/codecs.ts';

const text = Buffer.from('{"a":1}'.repeat(5_000));

async function xerial(blocks: readonly Buffer[]): Promise<Buffer> {
  const header = Buffer.from('82534e4150505900 00000001 00000001'.replaceAll(' ', ''), 'hex');
  const parts: Buffer[] = [header];
  for (const block of blocks) {
    const packed = await compress(block);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(packed.length);
    parts.push(length, packed);
  }
  return Buffer.concat(parts);
}

describe('snappy', () => {
  it('reads one raw block, as librdkafka writes it', async () => {
    expect(await snappy.decompress(await compress(text))).toEqual(text);
  });

  it('reads the framing of the Java client, of any number of blocks', async () => {
    const random = randomBytes(1_000);
    expect(await snappy.decompress(await xerial([text, random, text]))).toEqual(
      Buffer.concat([text, random, text]),
    );
    expect(await snappy.decompress(await xerial([]))).toEqual(Buffer.alloc(0));
  });

  it('does not read past a frame that was cut', async () => {
    const frame = await xerial([text]);
    await expect(snappy.decompress(frame.subarray(0, -1))).rejects.toThrow(RangeError);
    await expect(snappy.decompress(frame.subarray(0, 18))).rejects.toThrow(RangeError);
  });
});

it('lz4 reads frames', async () => {
  expect(await lz4.decompress(await compressFrame(text))).toEqual(text);
});

it('zstd reads frames', async () => {
  // A single segment of five bytes in one raw block (RFC 8878 section 3.1.1).
  const hello = Buffer.from('28b52ffd200529000068656c6c6f', 'hex');
  expect((await zstd.decompress(hello)).toString()).toBe('hello');
});
