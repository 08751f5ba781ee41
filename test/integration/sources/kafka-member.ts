import { sourceConfig } from '../../../schemas/config-sources.ts';
import { createSources } from '../../../src/sources/registry.ts';
import { silentLog } from '../../support/source-runs.ts';

/** A member of a consumer group in a process of its own, for the test to kill: tells what it is assigned. */
const configs: unknown = JSON.parse(process.argv[2] ?? '[]');
if (!Array.isArray(configs)) throw new TypeError('expected source configurations');
const [source] = createSources(
  configs.map((config) => sourceConfig.parse(config)),
  { log: silentLog, maxLine: 100_000 },
);
await source?.run(
  (batch) => Promise.resolve({ accepted: batch.records.length, deadLetters: 0 }),
  new AbortController().signal,
  { assigned: (_group, partitions) => process.send?.(partitions) },
);
