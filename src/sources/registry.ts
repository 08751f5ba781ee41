import type { SourceConfig } from '../../schemas/config-sources.ts';
import { formatNamed } from '../formats/registry.ts';
import { createFileSource } from './file.ts';
import { createKafkaSource } from './kafka/source.ts';
import type { Source } from './port.ts';
import { createStdinSource, type SourceDependencies } from './stdin.ts';

/**
 * The source that a configuration names.
 *
 * @throws RecallError ERR_CONFIG_INVALID for an unknown format, or a combination that cannot work
 */
export function createSource(config: SourceConfig, deps: SourceDependencies): Source {
  formatNamed(config.format);
  switch (config.kind) {
    case 'kafka':
      return createKafkaSource(config, deps);
    case 'file':
      return createFileSource(config, deps);
    case 'stdin':
      return createStdinSource(config, deps);
  }
}
