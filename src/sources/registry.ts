import type { SourceConfig } from '../../schemas/config-sources.ts';
import { formatNamed } from '../formats/registry.ts';
import { createFileSource } from './file.ts';
import { kafkaGroups } from './kafka/groups.ts';
import { createKafkaSource } from './kafka/source.ts';
import type { Source } from './port.ts';
import { createStdinSource, type SourceDependencies } from './stdin.ts';

/** What is read as lines, by this worker alone. */
type LineSourceConfig = Exclude<SourceConfig, { kind: 'kafka' }>;

/**
 * The source of lines that a configuration names.
 *
 * @throws RecallError ERR_CONFIG_INVALID for an unknown format, or a combination that cannot work
 */
export function createSource(config: LineSourceConfig, deps: SourceDependencies): Source {
  formatNamed(config.format);
  switch (config.kind) {
    case 'file':
      return createFileSource(config, deps);
    case 'stdin':
      return createStdinSource(config, deps);
  }
}

/** Beside the configuration of the sources themselves. */
export interface SourcesOptions {
  /** Whether events go through the repartition topic: partitions that the sources read are then no state partitions. */
  readonly repartitioned?: boolean;
}

/**
 * The sources of a worker. Keyed Kafka sources on one cluster become one source, which reads their topics as one
 * consumer group, so that one worker has partition n of all of them.
 *
 * @throws RecallError ERR_CONFIG_INVALID for an unknown format, or a combination that cannot work
 */
export function createSources(
  configs: readonly SourceConfig[],
  deps: SourceDependencies,
  { repartitioned = false }: SourcesOptions = {},
): Source[] {
  const kafka = configs.filter((config) => config.kind === 'kafka');
  for (const { format } of kafka) formatNamed(format);
  const groups = kafkaGroups(kafka, repartitioned);
  return [
    ...groups.map((group) => createKafkaSource(group, deps)),
    ...configs.filter((config) => config.kind !== 'kafka').map((config) => createSource(config, deps)),
  ];
}
