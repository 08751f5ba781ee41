import { createReadStream } from 'node:fs';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { FileSourceConfig } from '../../schemas/config-sources.ts';
import { RecallError } from '../errors.ts';
import { followFile, readError } from './follow.ts';
import { createHealth } from './health.ts';
import type { Source } from './port.ts';
import { readStream } from './read-stream.ts';
import type { SourceDependencies } from './stdin.ts';

const READ_SIZE = 2 ** 20;

function openFile(path: string, signal: AbortSignal): Readable {
  const file = createReadStream(path, { highWaterMark: READ_SIZE, signal });
  if (!path.endsWith('.gz')) return file;
  // pipeline hands an error of the file on to the reader of the decompressed side.
  return pipeline(file, createGunzip({ chunkSize: READ_SIZE / 4 }), () => undefined);
}

/** The bytes of a file; what goes wrong in reading them is told from what the reader of them does wrong. */
async function* bytesOf(path: string, signal: AbortSignal): AsyncGenerator {
  try {
    yield* openFile(path, signal);
  } catch (error) {
    throw readError(path, error);
  }
}

/**
 * A file with one record a line: read once to its end (`.gz` decompressed as a stream), or followed through
 * rotation. A run reads from the beginning of the file.
 *
 * `run` throws RecallError ERR_SOURCE_READ naming the path where the file cannot be read; a followed file that
 * is not there yet is waited for.
 *
 * @throws RecallError ERR_CONFIG_INVALID where a compressed file is to be followed
 */
export function createFileSource(config: FileSourceConfig, { log, maxLine }: SourceDependencies): Source {
  const { path, follow } = config;
  if (follow && path.endsWith('.gz')) {
    throw new RecallError('ERR_CONFIG_INVALID', `source file ${path}: a compressed file cannot be followed`);
  }
  const health = createHealth(`${path}: not started`);
  const head = { source: `file:${path}`, stream: config.stream, format: config.format };
  return {
    name: head.source,
    async run(onBatch, signal) {
      const reading = { head, maxLine, log, health, signal };
      health.ok(`${path}: reading`);
      try {
        if (follow) await followFile(path, onBatch, reading);
        else await readStream(bytesOf(path, signal), onBatch, { ...reading, idle: () => false });
        health.ok(`${path}: read to its end`);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    },
    health: () => health.current(),
  };
}
