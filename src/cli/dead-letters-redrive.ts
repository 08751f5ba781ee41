import { InvalidArgumentError, type Command } from 'commander';
import { createRedrive } from '../pipeline/redrive.ts';
import type { Common, Filter } from './dead-letters-options.ts';
import { actor, configOf, filtered, say, sayJson, subcommand, withLetters } from './dead-letters-options.ts';
import { describeReport } from './dead-letters-print.ts';
import { EXIT, withExit } from './exit.ts';
import { findWorker, type WorkerOptions } from './worker-push.ts';

const HELP = `
Decodes dead letters again under the configuration and formats of now, and pushes those that are events to the running
worker. What was handed over before is left out, unless --again is given; an event that was stored after all is not
stored twice. Every letter handed over is marked, and the run is written to the audit trail.

Examples:
  $ token-recall dead-letters redrive --dry-run
  $ token-recall dead-letters redrive --code ERR_DECODE_TIME --since 1d
  $ token-recall dead-letters redrive --config token-recall.yaml --url https://recall.example.com --token-file ingest.token

Exit codes: 0 all of them are events now, or would be; 1 some are not; 2 usage; 3 the store or the worker cannot be reached.
`;

function ids(value: string, all: string[] = []): string[] {
  if (all.length >= 100)
    throw new InvalidArgumentError('at most 100; filter by source, code or time instead');
  return [...all, value];
}

/** `token-recall dead-letters redrive`. */
export function redriveCommand(): Command {
  return filtered(
    subcommand('redrive', 'decode refused records again and take in what is an event now', HELP),
  )
    .option('--id <id>', 'only this one (may be repeated)', ids)
    .option('--again', 'also those that were handed over before')
    .option('--dry-run', 'only say which would be events now')
    .option('--url <url>', 'API of the worker (default: where the configuration says)')
    .option('--token-file <file>', 'file with a credential of role ingest or operator')
    .option('--insecure-http', 'allow plain http to another machine; tokens travel in clear')
    .action(
      withExit(
        async (
          options: Common & Filter & WorkerOptions & { id?: string[]; again?: boolean; dryRun?: boolean },
        ) => {
          const config = await configOf(options);
          const dry_run = options.dryRun ?? false;
          const push = dry_run
            ? () => Promise.resolve({ deadLetters: 0 })
            : await findWorker(config, options);
          const report = await withLetters(config, ({ store, letters, custody }) => {
            const { max_future: maxFuture } = config.detection;
            const redrive = createRedrive({
              letters,
              store,
              custody,
              push,
              sources: config.sources,
              maxFuture,
            });
            const { source, code, since: from, id, again } = options;
            return redrive({ ids: id, source, code, since: from, again, dry_run }, actor());
          });
          if (options.json === true) sayJson(report);
          else say(describeReport(report));
          const { refused, undecodable, no_original } = report.outcomes;
          return refused + undecodable + no_original === 0 ? EXIT.done : EXIT.no;
        },
      ),
    );
}
