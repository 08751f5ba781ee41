import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RecallError } from '../errors.ts';
import { packageRoot } from '../package.ts';
import type { StoreConfig } from '../../schemas/config.ts';

/** One file of schemas/clickhouse, with the configuration filled in. */
export interface Migration {
  readonly file: string;
  /** Applied again whenever it or the configuration changed. */
  readonly repeatable: boolean;
  readonly statements: readonly string[];
  /** SHA-256 of the statements. */
  readonly checksum: string;
}

type MigrationConfig = Pick<StoreConfig, 'database' | 'cluster' | 'retention'>;

/** ClickHouse keeps the moment a part expires in 32 bits (until 2106); past it, rows would expire at once. */
const LONGEST_RETENTION_S = 50 * 365 * 86_400;

/** Holds what was applied; first of all files, and applied before anything is asked. */
export const FIRST_FILE = '0000_schema_migrations.sql';

/** Reads all migrations, in the order in which they are applied: by number, repeatable ones last. */
export async function readMigrations(config: MigrationConfig): Promise<Migration[]> {
  const folder = join(packageRoot(), 'schemas', 'clickhouse');
  const files = (await readdir(folder)).filter((file) => file.endsWith('.sql')).sort();
  return await Promise.all(
    files.map(async (file) => {
      const statements = renderMigration(file, await readFile(join(folder, file), 'utf8'), config);
      const checksum = createHash('sha256').update(statements.join('\n')).digest('hex');
      return { file, repeatable: file.startsWith('repeat_'), statements, checksum };
    }),
  );
}

/**
 * Statements of a migration file. The template syntax is described at the top of {@link FIRST_FILE}.
 *
 * @throws RecallError ERR_MIGRATION on a placeholder it does not know
 */
export function renderMigration(file: string, text: string, config: MigrationConfig): string[] {
  const seconds = (ms: number) => String(Math.min(Math.ceil(ms / 1000), LONGEST_RETENTION_S));
  const values: Record<string, string> = {
    database: config.database,
    cluster: config.cluster ?? '',
    'retention.events': seconds(config.retention.events),
    'retention.alerts': seconds(config.retention.alerts),
    'retention.dead_letters': seconds(config.retention.dead_letters),
  };
  const fill = (placeholder: string, name: string): string => {
    if (name.startsWith('local:')) {
      const table = name.slice('local:'.length);
      return config.cluster === undefined ? table : `${table}_local`;
    }
    const value = values[name];
    if (value === undefined)
      throw new RecallError('ERR_MIGRATION', `${file}: unknown placeholder ${placeholder}`);
    return value;
  };
  return text
    .split(/;[ \t]*$/m)
    .map(withoutComments)
    .filter((part) => part !== '' && (config.cluster !== undefined || !part.startsWith('-- @cluster')))
    .map((part) => part.replace(/^-- @cluster\s*/, '').replaceAll(/\{\{([^}]*)\}\}/g, fill));
}

/** Drops whole-line comments but `-- @…`, and empty lines, so that a statement begins with what it is. */
function withoutComments(part: string): string {
  return part
    .split('\n')
    .filter((line) => !/^\s*(--(?! @).*)?$/.test(line))
    .join('\n');
}
