import { stat } from 'node:fs/promises';
import { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import { runBacktest, type BacktestSummary } from '../pipeline/backtest.ts';
import { createLogger } from '../telemetry/log.ts';
import { EXIT, withExit } from './exit.ts';
import { createProgress } from './progress.ts';

interface Options {
  input: string;
  authorizationEvents?: string;
  format: string;
  out: string;
  config?: string;
  json?: boolean;
  quiet?: boolean;
}

const HELP = `
The logs run through the very code that production runs (decode, enrich, detect, decide), in event time.
Nothing is stored, nobody is alerted, nothing is revoked: what would have been lies in the folder of --out:

  alerts.ndjson      one alert a line, as it stood at the end
  decisions.ndjson   every decision on the way, oldest first
  findings.ndjson    every claim of every detector
  summary.json       counts, dead letters with reasons, speed; written last, when all else is complete

An interrupt (Ctrl-C) ends it with exit code 1 and without summary.json; one of an earlier run is removed at the start.

The same input and configuration make the same alerts, to the byte.

Examples:
  $ token-recall backtest --input access.ndjson --out result
  $ token-recall backtest --input access.ndjson.gz --authorization-events as.ndjson --config new.yaml --out result
  $ jq -r 'select(.decision.action == "revoke") | .summary' result/alerts.ndjson
`;

/** `token-recall backtest`: what the detectors and the policy would make of past logs. */
export function backtestCommand(): Command {
  return new Command('backtest')
    .summary('run past logs through detection and policy, without acting')
    .description('Runs past logs through detection and policy, without acting.')
    .requiredOption('-i, --input <file>', 'access log, one event a line; .gz is decompressed')
    .option('-a, --authorization-events <file>', 'authorization events, one a line')
    .option('-f, --format <name>', 'format of the access log', 'canonical')
    .requiredOption('-o, --out <dir>', 'folder for the results')
    .option(
      '-c, --config <file>',
      'configuration, all of it valid; what counts is enrich, detectors, detection, policy, max_line and log_level',
    )
    .option('--json', 'print the summary as JSON on stdout')
    .option('-q, --quiet', 'no progress on stderr')
    .addHelpText('after', HELP)
    .action(
      withExit(async (options: Options) => {
        const { config, detectors } = await loadConfig(options.config, process.env);
        const size = await sizeOf(options.input);
        const progress = createProgress({ label: 'backtest', unit: 'events', quiet: options.quiet });
        const abort = new AbortController();
        const interrupt = () => abort.abort();
        process.once('SIGINT', interrupt);
        try {
          const summary = await runBacktest({
            ...options,
            config,
            detectors,
            log: createLogger(config.log_level),
            signal: abort.signal,
            onProgress: (events, bytes) =>
              progress.update(events, size === undefined ? undefined : bytes / size),
          });
          progress.finish();
          process.stdout.write(
            options.json ? `${JSON.stringify(summary)}\n` : describe(summary, options.out),
          );
          return EXIT.done;
        } catch (error) {
          if (!abort.signal.aborted) throw error;
          progress.finish();
          process.stderr.write(
            `token-recall: interrupted; the results in ${options.out} are incomplete, and have no summary.json\n`,
          );
          return EXIT.no;
        } finally {
          process.removeListener('SIGINT', interrupt);
        }
      }),
    );
}

/** Size of a plain file in bytes; of a compressed one the events' own size is not known. */
async function sizeOf(path: string): Promise<number | undefined> {
  if (path.endsWith('.gz')) return undefined;
  const found = await stat(path).catch(() => null);
  return found?.isFile() ? found.size : undefined;
}

function describe(summary: BacktestSummary, out: string): string {
  const list = (counts: Record<string, number>) =>
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ') || 'none';
  const lines = [
    `events          ${summary.events} access, ${summary.authorization_events} authorization`,
    `dead letters    ${summary.dead_letters}`,
    ...Object.entries(summary.dead_letter_reasons).map(
      ([code, { count, first }]) => `                ${code} ${count}, first: ${first}`,
    ),
    `findings        ${list(summary.findings)}`,
    `alerts          ${summary.alerts}`,
    `decisions       ${list(summary.decisions)}`,
    `would revoke    ${summary.revocations} tokens`,
    `time            ${summary.seconds} s, ${summary.events_per_second} events a second`,
    `results in      ${out}`,
  ];
  return `${lines.join('\n')}\n`;
}
