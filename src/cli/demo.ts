import { Command, InvalidArgumentError } from 'commander';
import { runDemo } from '../demo/run.ts';
import { createLogger } from '../telemetry/log.ts';
import { authorizationServerCommand } from './demo-authorization-server.ts';
import { EXIT, withExit } from './exit.ts';

/** After this long a part that does not stop is left to the operating system. */
const STOP_DEADLINE = 30_000;

interface Options {
  serve?: boolean;
  users: number;
  seed: number;
  dataDir?: string;
  json?: boolean;
}

const HELP = `
Everything is real and on this machine: an OAuth authorization server (oidc-provider), a gateway that asks it about
every token, Token Recall in enforce mode with its own ClickHouse, and people and machines at work. Three tokens are
misused; each line is printed because the thing just happened. Addresses are real ones, carried in X-Forwarded-For and
placed by the geo databases that ship with Token Recall; nothing is sent to them.

Exit code 0: all three attackers were locked out, the recalls are proven, and nobody else was touched. 1: not so.

Examples:
  $ token-recall demo
  $ token-recall demo --serve            look around afterwards: API, ClickHouse and gateway stay up until Ctrl-C
  $ token-recall demo --json | jq .text
  $ token-recall demo --users 100 --seed 7
`;

/** `token-recall demo`: the whole road in a minute. */
export function demoCommand(): Command {
  return new Command('demo')
    .summary('watch three stolen tokens die, in a minute')
    .description('Starts a complete system on this machine, attacks it three times, and shows what happens.')
    .option('--serve', 'keep everything up afterwards, until Ctrl-C')
    .option('--users <n>', 'ordinary users at work meanwhile, 10 to 500', wholeNumber(10, 500), 40)
    .option('--seed <n>', 'another cast: who lives where, with which devices', wholeNumber(0, 2 ** 31), 1)
    .option('--data-dir <dir>', 'keep the data there (default: a temporary directory)')
    .option('--json', 'the timeline as NDJSON')
    .addCommand(authorizationServerCommand())
    .addHelpText('after', HELP)
    .action(
      withExit(async (options: Options) => {
        const stop = new AbortController();
        const interrupt = () => {
          stop.abort();
          // A second Ctrl-C ends the program the hard way.
          process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
        };
        process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
        const { stdout } = process;
        try {
          const verdict = await runDemo({
            users: options.users,
            seed: options.seed,
            dataDir: options.dataDir,
            serve: options.serve === true,
            json: options.json === true,
            colour: stdout.isTTY && (process.env['NO_COLOR'] ?? '') === '',
            columns: stdout.isTTY ? stdout.columns : 120,
            write: (line) => void stdout.write(`${line}\n`),
            signal: stop.signal,
            log: createLogger('warn'),
          });
          return verdict?.ok === true ? EXIT.done : EXIT.no;
        } finally {
          process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
          setTimeout(() => process.exit(EXIT.no), STOP_DEADLINE).unref();
        }
      }),
    );
}

/** Reads an integer option; what is none, or out of range, is a mistake in the command line. */
function wholeNumber(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= low && value <= high) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${low} to ${high}.`);
  };
}
