import { Command } from 'commander';
import { version } from '../package.ts';
import { backtestCommand } from './backtest.ts';
import { checkCommand } from './check.ts';
import { deadLettersCommand } from './dead-letters.ts';
import { demoCommand } from './demo.ts';
import { migrateCommand } from './migrate.ts';
import { runCommand } from './run.ts';
import { sqlCommand } from './sql.ts';

const HELP = `
Start here:
  $ token-recall demo                           watch stolen tokens being found and revoked
  $ token-recall run                            watch your own logs, everything embedded, revoking nothing
  $ token-recall backtest --input access.ndjson --out report
                                                what would have been found in logs you have
  $ token-recall sql 'SELECT * FROM alerts'     ask the embedded ClickHouse

Exit codes:
  0   done
  1   the answer is no: a configuration is not valid, a query was refused, the demo failed
  2   the command line is wrong
  3   something needed could not be reached or read
  70  a fault of the program; DEBUG=1 in the environment shows where

Every command explains itself: token-recall help COMMAND. Options of the configuration file: docs/configuration.md.
`;

/** The program with all its commands. Parsing throws a CommanderError instead of ending the process. */
export function createProgram(): Command {
  const program = new Command('token-recall')
    .description(
      'Watches every use of an OAuth token in gateway access logs, finds the misused ones and recalls them.',
    )
    .version(version(), '-V, --version', 'print the version')
    .addHelpText('after', HELP)
    .showHelpAfterError('Try --help after the command.')
    .exitOverride();
  const commands = [
    demoCommand(),
    runCommand(),
    backtestCommand(),
    sqlCommand(),
    checkCommand(),
    migrateCommand(),
    deadLettersCommand(),
  ];
  for (const command of commands) {
    program.addCommand(command);
    inherit(command, program);
  }
  return program;
}

/** Commands that were made by themselves answer mistakes as the program does, and so do those below them. */
function inherit(command: Command, parent: Command): void {
  command.copyInheritedSettings(parent);
  for (const below of command.commands) inherit(below, command);
}
