import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { Problem } from './problem.ts';

function tooLarge(limit: number): Problem {
  return new Problem(
    413,
    'payload_too_large',
    `The body is larger than ${String(limit)} bytes, before or after decompression: send it in parts, or raise api.max_body.`,
  );
}

/** The bytes of a stream, refused as soon as they are more than `limit`: a bomb is not unpacked to be measured. */
function collect(stream: Readable, limit: number, broken: (error: Error) => Error): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    stream.on('data', (chunk: Buffer) => {
      size += chunk.byteLength;
      if (size > limit) reject(tooLarge(limit));
      else chunks.push(chunk);
    });
    stream.once('end', () => resolve(Buffer.concat(chunks)));
    stream.once('error', (error) => reject(broken(error)));
    stream.once('close', () => reject(broken(new Error('the stream closed before its end'))));
  });
}

const cut = () => new Problem(400, 'invalid_body', 'The body ended early.');
const notGzip = () => new Problem(400, 'invalid_body', 'The body is not whole, valid gzip.');

/**
 * Reads a request body, decompressed where it is gzip (RFC 9110 section 8.4.1.3). Neither the bytes on the wire
 * nor those that come out of them may be more than `limit`.
 *
 * A refused body is read off and thrown away: a connection cut while the client still sends would lose the answer.
 *
 * @throws Problem 413, 415 for another content coding, 400 for a body that ends early or is no gzip
 */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const coding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  try {
    if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge(limit);
    switch (coding) {
      case 'identity':
        return await collect(request, limit, cut);
      case 'gzip':
      case 'x-gzip':
        return await gunzip(request, limit);
      default:
        throw new Problem(415, 'unsupported_content_encoding', 'Send the body as it is, or as gzip.', {
          headers: { 'accept-encoding': 'gzip, identity' },
        });
    }
  } catch (error) {
    request.resume();
    throw error;
  }
}

async function gunzip(request: IncomingMessage, limit: number): Promise<Buffer> {
  const unpack = createGunzip();
  // `pipe` alone would leave the decompressor waiting for ever when the client goes away. A request that is complete
  // closes too, while the decompressor still has work.
  const onClose = () => {
    if (!request.complete) unpack.destroy(cut());
  };
  request.once('close', onClose);
  try {
    return await Promise.race([collect(request.pipe(unpack), limit, notGzip), wireLimit(request, limit)]);
  } finally {
    request.off('close', onClose);
    request.unpipe(unpack);
    unpack.destroy();
  }
}

/** Rejects once more than `limit` bytes came over the wire; never resolves. */
function wireLimit(request: IncomingMessage, limit: number): Promise<never> {
  return new Promise((_, reject) => {
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.byteLength;
      if (size > limit) reject(tooLarge(limit));
    });
  });
}
