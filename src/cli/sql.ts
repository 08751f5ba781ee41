import { Command, Option } from 'commander';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { text } from 'node:stream/consumers';
import { loadConfig } from '../config/load.ts';
import { RecallError } from '../errors.ts';
import { embeddedPaths, readEndpoint } from '../store/embedded/files.ts';
import { runSql } from '../store/sql.ts';
import { EXIT, withExit } from './exit.ts';

interface Options {
  config?: string;
  dataDir: string;
  format?: string;
  printConnection?: boolean;
}

const HELP = `
Asks the embedded ClickHouse as its read-only user, also while token-recall run is at work on it. The query is the
argument, or what comes in on standard input. On a terminal the answer is a table; piped on, it is tab-separated
with names, and any format of ClickHouse with --format or a FORMAT clause.

Examples:
  $ token-recall sql 'SHOW TABLES'
  $ token-recall sql "SELECT time, severity, sub, summary FROM alerts ORDER BY time DESC LIMIT 10"
  $ token-recall sql --format JSONEachRow 'SELECT * FROM actions' | jq .
  $ token-recall sql --data-dir /var/lib/token-recall < question.sql
  $ token-recall sql --print-connection         for clickhouse-client, Grafana and the like

Exit codes: 0 answered; 1 ClickHouse refused the query; 2 usage; 3 there is no embedded ClickHouse.
Next: docs/queries.md has the analyst's first ten questions; DESCRIBE TABLE says what a column means.
`;

/** `token-recall sql`: one question to the embedded ClickHouse. */
export function sqlCommand(): Command {
  return new Command('sql')
    .summary('ask the embedded ClickHouse')
    .description('Asks the embedded ClickHouse, as its read-only user.')
    .argument('[query]', 'one SQL statement; without it, standard input is read')
    .option('--data-dir <dir>', 'data directory of token-recall run', './data')
    .addOption(new Option('-c, --config <file>', 'take the data directory from here').conflicts('dataDir'))
    .option('--format <name>', 'format of the answer (default: PrettyCompact, piped on TSVWithNames)')
    .option('--print-connection', 'print how other programs connect, and ask nothing')
    .addHelpText('after', HELP)
    .action(
      withExit(async (argument: string | undefined, options: Options) => {
        const dataDir = await dataDirOf(options);
        if (options.printConnection === true) {
          process.stdout.write(await describeConnection(dataDir));
          return EXIT.done;
        }
        const query = argument ?? (await readQuery());
        const format = options.format ?? (process.stdout.isTTY ? 'PrettyCompact' : 'TSVWithNames');
        await pipeline(Readable.from(runSql({ dataDir, query, format })), process.stdout, { end: false });
        return EXIT.done;
      }),
    );
}

async function dataDirOf({ config: path, dataDir }: Options): Promise<string> {
  if (path === undefined) return dataDir;
  const { config } = await loadConfig(path, process.env);
  if (config.store.url === undefined) return config.data_dir;
  throw new RecallError(
    'ERR_USAGE',
    `${path} names a ClickHouse server (store.url): ask that one with clickhouse-client. This command asks the embedded one`,
  );
}

async function readQuery(): Promise<string> {
  const query = process.stdin.isTTY ? '' : (await text(process.stdin)).trim();
  if (query !== '') return query;
  throw new RecallError('ERR_USAGE', 'No query: give one as argument or on standard input');
}

/** How other programs connect. Says where the password is instead of what it is. */
async function describeConnection(dataDir: string): Promise<string> {
  const paths = embeddedPaths(dataDir);
  const endpoint = await readEndpoint(paths);
  if (endpoint === undefined) {
    const hint = 'token-recall run without store.url makes one';
    throw new RecallError('ERR_STORE_EMBEDDED', `There is no embedded ClickHouse under ${dataDir}: ${hint}`);
  }
  const { url, tcp, database } = endpoint;
  const password = `"$(jq -r .analyst.password '${paths.credentials}')"`;
  const native = tcp && [
    `native    ${tcp.host}:${tcp.port}`,
    `          clickhouse-client --host ${tcp.host} --port ${tcp.port} --user analyst --password ${password} \\`,
    `            --database ${database}`,
  ];
  return [
    'While token-recall run is up:',
    '',
    `HTTP      ${url}`,
    `          curl --user analyst:${password} '${url}/?database=${database}&query=SHOW+TABLES'`,
    ...(native ?? ['native    none: set store.tcp_port for clickhouse-client']),
    `database  ${database}`,
    'user      analyst, who reads only',
    `password  analyst.password in ${paths.credentials}`,
    '',
  ].join('\n');
}
