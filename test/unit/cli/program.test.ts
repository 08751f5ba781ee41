import { CommanderError } from 'commander';
import { afterEach, beforeEach, describe, expect, it, vi, type MockInstance } from 'vitest';
import { createProgram } from '../../../src/cli/program.ts';

let stdout: MockInstance<typeof process.stdout.write>;
let stderr: MockInstance<typeof process.stderr.write>;
beforeEach(() => {
  stdout = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterEach(() => vi.restoreAllMocks());

const written = (spy: typeof stdout) => spy.mock.calls.map(([text]) => String(text)).join('');
const names = createProgram().commands.map((command) => command.name());

/** Parses the command line; what commander ends it with. */
async function parse(args: readonly string[]): Promise<CommanderError> {
  const error: unknown = await createProgram()
    .parseAsync(args, { from: 'user' })
    .catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(CommanderError);
  return error as CommanderError;
}

it('has the commands of the product', () => {
  expect(names).toEqual(expect.arrayContaining(['run', 'backtest', 'demo', 'check', 'migrate', 'sql']));
});

it.each(names)('%s --help shows how it is used, with examples', async (name) => {
  expect((await parse([name, '--help'])).exitCode).toBe(0);
  expect(written(stdout)).toContain(`Usage: token-recall ${name}`);
  expect(written(stdout)).toContain('Examples:');
  expect(written(stdout)).toContain(`$ token-recall ${name}`);
});

describe('a mistake in the command line', () => {
  it.each([
    ['a command that there is not', ['chek'], 'Did you mean check?'],
    ['an option that there is not', ['sql', '--formt', 'CSV'], 'Did you mean --format?'],
    ['a missing option', ['check'], "required option '-c, --config <file>' not specified"],
    ['the same, of a command below another', ['demo', 'authorization-server', '--prt', '1'], '--port'],
    ['an argument too many', ['check', '-c', 'x', 'y'], 'too many arguments'],
    ['two options that exclude each other', ['sql', '-c', 'x', '--data-dir', 'y'], 'cannot be used with'],
  ])('%s is said on stderr', async (_what, args, message) => {
    expect((await parse(args)).exitCode).not.toBe(0);
    expect(written(stdout)).toBe('');
    expect(written(stderr)).toContain(message);
  });
});
