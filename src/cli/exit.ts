import { CommanderError } from 'commander';
import { isRecallError, messageOf, type RecallErrorCode } from '../errors.ts';

/** What the exit codes of every command mean; shown by `--help`. */
export const EXIT = {
  /** Done, and the answer is yes. */
  done: 0,
  /** Done, and the answer is no: an invalid configuration, a refused query, a demo that failed. */
  no: 1,
  /** The command line itself is wrong. */
  usage: 2,
  /** Something needed could not be reached or read. */
  unreachable: 3,
  /** A fault of the program. */
  internal: 70,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const EXIT_OF: Record<RecallErrorCode, ExitCode> = {
  ERR_CONFIG_READ: EXIT.no,
  ERR_CONFIG_INVALID: EXIT.no,
  ERR_CONFIG_EXPOSED: EXIT.no,
  ERR_CUSTODY_KEY: EXIT.no,
  ERR_MIGRATION: EXIT.no,
  ERR_STATE_VERSION: EXIT.no,
  ERR_PARTITIONING: EXIT.no,
  ERR_STORE_REFUSED: EXIT.no,
  ERR_RESPONDER_REFUSED: EXIT.no,
  ERR_SINK_REFUSED: EXIT.no,
  ERR_USAGE: EXIT.usage,
  ERR_SOURCE_UNAVAILABLE: EXIT.unreachable,
  ERR_STATE_FENCED: EXIT.unreachable,
  ERR_SOURCE_READ: EXIT.unreachable,
  ERR_GEO_FILE: EXIT.unreachable,
  ERR_STORE_UNAVAILABLE: EXIT.unreachable,
  ERR_STORE_EMBEDDED: EXIT.unreachable,
  ERR_RESPONDER_UNAVAILABLE: EXIT.unreachable,
  ERR_SINK_UNAVAILABLE: EXIT.unreachable,
  ERR_API_ADDRESS: EXIT.unreachable,
  // Faults of one record never end a command: where one does, the program is at fault.
  ERR_DECODE_JSON: EXIT.internal,
  ERR_DECODE_SCHEMA: EXIT.internal,
  ERR_DECODE_TOO_LARGE: EXIT.internal,
  ERR_DECODE_TIME: EXIT.internal,
  ERR_DECODE_ADDRESS: EXIT.internal,
  ERR_DECODE_IDENTITY: EXIT.internal,
  ERR_DETECTOR: EXIT.internal,
  ERR_CUSTODY_OPEN: EXIT.internal,
};

/** The exit code that `error` ends the program with. */
export function exitCodeOf(error: unknown): ExitCode {
  return isRecallError(error) ? EXIT_OF[error.code] : EXIT.internal;
}

/**
 * What `error` says to the person at the terminal. Problems of a configuration stand as they are, one a line,
 * so that editors and terminals can jump to `file:line:column`; all else is prefixed with the program's name.
 */
export function describeError(error: unknown, debug: boolean): string {
  const stack = debug && error instanceof Error && error.stack !== undefined ? `\n${error.stack}` : '';
  if (isRecallError(error, 'ERR_CONFIG_INVALID')) return `${error.message}${stack}`;
  return `token-recall: ${messageOf(error)}${stack}`;
}

/** Writes `error` to stderr and sets the exit code. `DEBUG` in the environment adds the stack. */
export function reportError(error: unknown): void {
  process.stderr.write(`${describeError(error, Boolean(process.env['DEBUG']))}\n`);
  process.exitCode = exitCodeOf(error);
}

/**
 * Wraps the action of a command: the exit code is what it returns (nothing: done) or what it threw.
 * Mistakes in the command line (CommanderError) go on to the program, which answers them with the usage.
 */
export function withExit<A extends unknown[]>(
  action: (...args: A) => Promise<ExitCode | undefined>,
): (...args: A) => Promise<void> {
  return async (...args) => {
    try {
      process.exitCode = (await action(...args)) ?? EXIT.done;
    } catch (error) {
      if (error instanceof CommanderError) throw error;
      reportError(error);
    }
  };
}
