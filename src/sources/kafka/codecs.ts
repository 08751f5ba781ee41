import * as zlib from 'node:zlib';
import { promisify } from 'node:util';
import { decompress as zstdInJavaScript } from 'fzstd';
import { decompressFrame } from 'lz4-napi';
import { uncompress } from 'snappy';

/** Reads one compressed record batch. The product reads every codec of Kafka and writes uncompressed. */
export interface Codec {
  decompress(compressed: Buffer): Promise<Buffer>;
}

/** Header of the Java client's framing of Snappy (xerial snappy-java, SnappyOutputStream): magic, version, compatible version. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER = 16;

async function snappyBlock(block: Buffer): Promise<Buffer> {
  const plain = await uncompress(block, { asBuffer: true });
  return typeof plain === 'string' ? Buffer.from(plain) : plain;
}

/** Snappy as Kafka clients write it: one raw block (librdkafka, Go), or the framing of the Java client. */
export const snappy: Codec = {
  async decompress(compressed) {
    if (!compressed.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return snappyBlock(compressed);
    const blocks: Buffer[] = [];
    for (let at = XERIAL_HEADER; at < compressed.length;) {
      const start = at + 4;
      const end = start + compressed.readUInt32BE(at);
      if (end > compressed.length) throw new RangeError('a Snappy block is longer than its record batch');
      blocks.push(await snappyBlock(compressed.subarray(start, end)));
      at = end;
    }
    return Buffer.concat(blocks);
  },
};

/** LZ4 in its frame format, as record batches of version 2 (Kafka 0.11 and later) carry it. */
export const lz4: Codec = { decompress: (compressed) => decompressFrame(compressed) };

type NativeZstd = (input: Buffer, done: (error: Error | null, plain: Buffer) => void) => void;

function isNative(candidate: unknown): candidate is NativeZstd {
  return typeof candidate === 'function';
}

// Node has Zstandard from 22.15 on; its types here are those of the oldest Node supported.
const nativeZstd: unknown = Reflect.get(zlib, 'zstdDecompress');

/** Zstandard, by Node where it can, else in JavaScript. */
export const zstd: Codec = {
  decompress: isNative(nativeZstd)
    ? promisify(nativeZstd)
    : (compressed) => Promise.resolve(Buffer.from(zstdInJavaScript(compressed))),
};
