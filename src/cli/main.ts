#!/usr/bin/env node
import { CommanderError } from 'commander';
import { EXIT, reportError } from './exit.ts';
import { createProgram } from './program.ts';

/** A reader that has gone (`| head`) is no fault: what it wanted it has. */
function endQuietlyWithoutReader(stream: NodeJS.WriteStream): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(EXIT.done);
  });
}

/** Ends the program on a fault that nothing caught. A command that stops with grace has a listener of its own. */
function onUncaught(error: unknown): void {
  reportError(error);
  if (process.listenerCount('uncaughtException') === 1) process.exit();
}

endQuietlyWithoutReader(process.stdout);
endQuietlyWithoutReader(process.stderr);
process.on('uncaughtException', onUncaught);

try {
  await createProgram().parseAsync();
} catch (error) {
  // Commander has said what is wrong; it ends the program this way for --help and --version too.
  if (!(error instanceof CommanderError)) reportError(error);
  else process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
}
