import { addAbortSignal, type Readable } from 'node:stream';
import type { SourceConfig } from '../../schemas/config-sources.ts';
import type { Logger } from '../telemetry/log.ts';
import { createHealth } from './health.ts';
import type { Source } from './port.ts';
import { readStream } from './read-stream.ts';

/** What the sources are made with. */
export interface SourceDependencies {
  readonly log: Logger;
  /** Largest record, bytes; a larger one is refused. */
  readonly maxLine: number;
}

type StdinConfig = Extract<SourceConfig, { kind: 'stdin' }>;

/** Standard input, one record a line, to its end. `input` is there for tests. */
export function createStdinSource(
  config: StdinConfig,
  { log, maxLine }: SourceDependencies,
  input: Readable = process.stdin,
): Source {
  const health = createHealth('not started');
  const head = { source: 'stdin', stream: config.stream, format: config.format };
  return {
    name: 'stdin',
    async run(onBatch, signal) {
      health.ok('reading standard input');
      try {
        addAbortSignal(signal, input);
        const idle = () => input.readableLength === 0;
        await readStream(input, onBatch, { head, maxLine, idle, log, health, signal });
        health.ok('standard input ended');
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    },
    health: () => health.current(),
  };
}
