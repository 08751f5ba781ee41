import closeWithGrace from 'close-with-grace';
import { Command } from 'commander';
import { join } from 'node:path';
import type { SourceConfig } from '../../schemas/config-sources.ts';
import { loadConfig } from '../config/load.ts';
import { messageOf } from '../errors.ts';
import { createWorker, type Worker } from '../pipeline/worker.ts';
import type { Stream } from '../sources/port.ts';
import { createLogger } from '../telemetry/log.ts';
import { EXIT, withExit } from './exit.ts';

/** What a stop may take past its deadline before the process just ends, ms. */
const LAST_RESORT = 5_000;

interface Options {
  config?: string;
  file: string[];
  authorizationFile: string[];
  stdin?: boolean;
  follow?: boolean;
  once?: boolean;
}

const HELP = `
Without a configuration it runs on its own parts: HTTP push, files or stdin in, an embedded ClickHouse and generated
credentials under ./data, listening on loopback only, in shadow mode: it decides and records, and revokes nothing.
It goes on until it is told to stop (Ctrl-C, SIGTERM); with --once it stops when all its files are read.

Examples:
  $ token-recall run
  $ token-recall run --file access.ndjson --once
  $ tail -F access.ndjson | token-recall run --stdin
  $ token-recall run --config token-recall.yaml

Push a log line to a running worker (the credentials are in data/api-tokens.json):
  $ curl -H "Authorization: Bearer $INGEST_TOKEN" -H 'Content-Type: application/x-ndjson' \\
         --data-binary @access.ndjson http://127.0.0.1:7300/v1/events/access

Next: GET /docs describes the API, token-recall sql asks the embedded ClickHouse.
`;

const collect = (value: string, all: string[]) => [...all, value];

/** `token-recall run`: the worker. */
export function runCommand(): Command {
  return new Command('run')
    .summary('watch logs, raise alerts, recall tokens')
    .description('Watches access logs, raises alerts and, in enforce mode, recalls tokens.')
    .option('-c, --config <file>', 'configuration; without one, embedded parts and shadow mode')
    .option('--file <path>', 'also read this access log (may be repeated)', collect, [])
    .option(
      '--authorization-file <path>',
      'also read this log of authorization events (may be repeated)',
      collect,
      [],
    )
    .option('--follow', 'keep reading what is appended to those files')
    .option('--stdin', 'also read access events from standard input')
    .option('--once', 'stop when every file is read and everything is settled')
    .addHelpText('after', HELP)
    .action(
      withExit(async (options: Options) => {
        const { config, detectors } = await loadConfig(options.config, process.env);
        const sources = [...config.sources, ...sourcesOf(options)];
        const log = createLogger(config.log_level);
        const worker = await createWorker({ ...config, sources }, { log, detectors });
        const stop = new AbortController();
        const graceful = closeWithGrace(
          { delay: config.stop_deadline + LAST_RESORT },
          async ({ signal, err }) => {
            if (err !== undefined) log.fatal({ err }, `stopping after a fault: ${messageOf(err)}`);
            else if (signal !== undefined) log.info(`stopping on ${signal}`);
            stop.abort();
            await worker.stop();
          },
        );
        try {
          announce(worker, config.data_dir, config.policy.mode);
          await worker.run(stop.signal);
          if (options.once !== true) await aborted(AbortSignal.any([stop.signal, worker.failed]));
          worker.failed.throwIfAborted();
          await worker.idle();
          return EXIT.done;
        } finally {
          await worker.stop();
          graceful.uninstall();
        }
      }),
    );
}

function sourcesOf({ file, authorizationFile, stdin = false, follow = false }: Options): SourceConfig[] {
  const from = (stream: Stream) => (path: string) =>
    ({ kind: 'file', path, follow, stream, format: 'canonical' }) as const;
  return [
    // What was granted counts before its use.
    ...authorizationFile.map(from('authorization')),
    ...file.map(from('access')),
    ...(stdin ? [{ kind: 'stdin', stream: 'access', format: 'canonical' } as const] : []),
  ];
}

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });

/** Says where everything is. On stderr: stdout is for alerts, where a sink puts them there. */
function announce({ apiUrl, store }: Worker, dataDir: string, mode: string): void {
  const lines = [`token-recall is running in ${mode} mode`];
  if (apiUrl !== undefined) {
    lines.push(`  API         ${apiUrl}/docs  (credentials: ${join(dataDir, 'api-tokens.json')})`);
  }
  lines.push(`  ClickHouse  ${store.endpoint.url}${store.endpoint.embedded ? '  (token-recall sql)' : ''}`);
  process.stderr.write(`${lines.join('\n')}\n`);
}
