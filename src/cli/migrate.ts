import { Command } from 'commander';
import type { Config } from '../../schemas/config.ts';
import { secret } from '../../schemas/secret.ts';
import { loadConfig } from '../config/load.ts';
import { launchEmbedded } from '../store/embedded/launch.ts';
import { migrate, migrationStatus, type MigrateConfig, type MigrationStatus } from '../store/migrate.ts';
import { EXIT, withExit } from './exit.ts';

interface Options {
  config?: string;
  status?: boolean;
  json?: boolean;
}

const HELP = `
Creates the database, tables and views that this version needs in the ClickHouse of the configuration, on every shard
of a cluster. Repeating it is safe: what is there already is left alone, and a run that broke off is continued.
Run it before the first start and after every upgrade. The embedded ClickHouse migrates by itself at start.

Examples:
  $ token-recall migrate --config token-recall.yaml
  $ token-recall migrate --config token-recall.yaml --status    what is missing; changes nothing

Exit codes: 0 nothing is missing (any more); 1 with --status: something is missing, or a migration failed;
2 usage; 3 ClickHouse cannot be reached.
Next: token-recall run --config token-recall.yaml
`;

/** `token-recall migrate`: prepares ClickHouse. */
export function migrateCommand(): Command {
  return new Command('migrate')
    .summary('create or upgrade the tables in ClickHouse')
    .description('Creates or upgrades the tables in ClickHouse.')
    .option('-c, --config <file>', 'configuration; without one, the embedded ClickHouse under ./data')
    .option('--status', 'only say what is applied and what is missing')
    .option('--json', 'print one JSON object: servers with applied, pending and newly_applied')
    .addHelpText('after', HELP)
    .action(
      withExit(async ({ config: path, status = false, json = false }: Options) => {
        const { config } = await loadConfig(path, process.env);
        const say = (line: string) => (json ? undefined : process.stdout.write(`${line}\n`));
        if (status) {
          const servers = await withServer(config, migrationStatus);
          for (const server of servers) say(describeStatus(server));
          if (json) printJson(servers);
          return servers.every(({ pending }) => pending.length === 0) ? EXIT.done : EXIT.no;
        }
        const before = await withServer(config, (store) =>
          migrate(store, (server, file) => say(`${server}: applied ${file}`)),
        );
        const after = before.map(({ server, applied, pending }) => ({
          server,
          applied: [...new Set([...applied, ...pending])],
          pending: [],
          newly_applied: pending,
        }));
        for (const server of after) say(describeStatus(server));
        if (json) printJson(after);
        return EXIT.done;
      }),
    );
}

function describeStatus({ server, applied, pending }: MigrationStatus): string {
  if (pending.length === 0) return `${server}: up to date, ${applied.length} migrations applied`;
  return [`${server}: ${pending.length} migrations missing`, ...pending.map((file) => `  ${file}`)].join(
    '\n',
  );
}

const printJson = (servers: unknown) => process.stdout.write(`${JSON.stringify({ servers }, null, 2)}\n`);

/** Does `work` at the server of the configuration; the embedded one is started for it. */
async function withServer<T>(config: Config, work: (store: MigrateConfig) => Promise<T>): Promise<T> {
  const { store, data_dir: dataDir } = config;
  if (store.url !== undefined) return await work(store);
  const embedded = await launchEmbedded({
    dataDir,
    database: store.database,
    httpPort: 0,
    tcpPort: undefined,
  });
  try {
    const { username, password } = embedded.credentials.writer;
    const { url } = embedded.endpoint;
    return await work({ ...store, url, username, password: secret(password), cluster: undefined });
  } finally {
    await embedded.stop();
  }
}
