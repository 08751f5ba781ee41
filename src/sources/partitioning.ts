import type { Config } from '../../schemas/config.ts';
import type { KafkaSourceConfig, SourceConfig } from '../../schemas/config-sources.ts';
import type { KeyScope } from '../detection/contract.ts';
import { RecallError } from '../errors.ts';
import { clusterOf } from './kafka/groups.ts';

/** What the check needs of a detector. */
export interface ScopedDetector {
  readonly id: string;
  /** Which events it must see in one place. */
  readonly scope: KeyScope;
}

/**
 * The scopes whose events lie in one partition where records are keyed so. A token belongs to one session, a session
 * to one subject; a client has many subjects, and a subject many clients.
 */
const COVERED: Record<KafkaSourceConfig['keyed_by'], readonly KeyScope[]> = {
  subject: ['token', 'session', 'subject'],
  session: ['token', 'session'],
  token: ['token'],
  client: ['client'],
  none: [],
};

const nameOf = (source: SourceConfig) => {
  switch (source.kind) {
    case 'kafka':
      return `kafka:${source.topics.join(',')}`;
    case 'file':
      return `file:${source.path}`;
    case 'stdin':
      return 'stdin';
  }
};

const TURN_OFF = (id: string) => `or turn it off (detectors.${id}.enabled: false)`;

/** Detectors that the repartition topic, keyed by subject, does not serve. */
function behindRepartition(detectors: readonly ScopedDetector[]): string[] {
  return detectors
    .filter(({ scope }) => !COVERED.subject.includes(scope))
    .map(
      ({ id, scope }) =>
        `detector ${id} needs all events of a ${scope} in one partition, and \`repartition\` brings together those of a subject: read topics keyed by ${scope} without it, ${TURN_OFF(id)}`,
    );
}

/** Sources that spread one key over partitions of different places, whatever they are keyed by. */
function apart(kafka: readonly KafkaSourceConfig[], others: readonly SourceConfig[]): string[] {
  const problems = others.map(
    (other) =>
      `source ${nameOf(other)} stands beside Kafka sources, and its events would lie apart from theirs: set \`repartition\``,
  );
  if (new Set(kafka.map(clusterOf)).size > 1) {
    problems.push(
      `sources ${kafka.map(nameOf).join(' and ')} are topics of different clusters, whose partitions go to different workers: set \`repartition\``,
    );
  }
  const [first, ...rest] = kafka.filter(({ keyed_by }) => keyed_by !== 'none');
  const odd = rest.find(({ keyed_by }) => keyed_by !== first?.keyed_by);
  if (first !== undefined && odd !== undefined) {
    problems.push(
      `source ${nameOf(first)} is keyed by ${first.keyed_by} and source ${nameOf(odd)} by ${odd.keyed_by}, so the events of one ${first.keyed_by} lie in partitions of different numbers: have both keyed by subject, or set \`repartition\``,
    );
  }
  return problems;
}

/**
 * Holds what detectors need in one place against what the sources bring to one place (design §4.5).
 *
 * Without Kafka one worker has everything. With it, workers share the partitions, and all events of a key must lie in
 * partitions of one number: because the records are keyed so, or because they are brought together by subject through
 * the repartition topic.
 *
 * @throws RecallError ERR_PARTITIONING listing each detector that is not covered, the source, and what to do
 */
export function checkPartitioning(
  detectors: readonly ScopedDetector[],
  { sources, repartition }: Pick<Config, 'sources' | 'repartition'>,
): void {
  const kafka = sources.filter((source) => source.kind === 'kafka');
  if (detectors.length === 0) return;
  const problems: string[] = [];
  if (repartition !== undefined) problems.push(...behindRepartition(detectors));
  else if (kafka.length > 0) {
    problems.push(
      ...apart(
        kafka,
        sources.filter((source) => source.kind !== 'kafka'),
      ),
    );
    for (const source of kafka) {
      for (const { id, scope } of detectors) {
        if (COVERED[source.keyed_by].includes(scope)) continue;
        const keyed = source.keyed_by === 'none' ? 'not keyed' : `keyed by ${source.keyed_by}`;
        const key = scope === 'client' ? 'client' : 'subject';
        const instead = scope === 'client' ? '' : ', set `repartition`';
        problems.push(
          `detector ${id} needs all events of a ${scope} in one partition, and source ${nameOf(source)} is ${keyed}: have its producer key records by ${key} and say so (\`keyed_by: ${key}\`)${instead}, ${TURN_OFF(id)}`,
        );
      }
    }
  }
  if (problems.length === 0) return;
  throw new RecallError('ERR_PARTITIONING', problems.join('\n'));
}
