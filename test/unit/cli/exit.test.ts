import { CommanderError } from 'commander';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RecallError } from '../../../src/errors.ts';
import { describeError, EXIT, exitCodeOf, withExit } from '../../../src/cli/exit.ts';

describe('exitCodeOf', () => {
  it.each([
    ['ERR_CONFIG_INVALID', 1],
    ['ERR_CONFIG_EXPOSED', 1],
    ['ERR_MIGRATION', 1],
    ['ERR_USAGE', 2],
    ['ERR_STORE_UNAVAILABLE', 3],
    ['ERR_SOURCE_READ', 3],
    ['ERR_GEO_FILE', 3],
    ['ERR_API_ADDRESS', 3],
    ['ERR_DETECTOR', 70],
  ] as const)('of %s is %i', (code, exit) => {
    expect(exitCodeOf(new RecallError(code, 'x'))).toBe(exit);
  });

  it('is that of a fault of the program for all else', () => {
    expect(exitCodeOf(new TypeError('x'))).toBe(70);
    expect(exitCodeOf('thrown text')).toBe(70);
  });
});

describe('describeError', () => {
  it('prefixes the message with the name of the program', () => {
    expect(describeError(new RecallError('ERR_GEO_FILE', 'No file /geo'), false)).toBe(
      'token-recall: No file /geo',
    );
  });

  it('leaves lines that begin with a place as they are', () => {
    const lines = 'c.yaml:1:1 a: b\nc.yaml:2:1 c: d';
    expect(describeError(new RecallError('ERR_CONFIG_INVALID', lines), false)).toBe(lines);
  });

  it('shows a stack only where it is asked for', () => {
    const error = new Error('broken');
    expect(describeError(error, false)).not.toContain('exit.test.ts');
    expect(describeError(error, true)).toContain('exit.test.ts');
  });
});

describe('withExit', () => {
  let before: typeof process.exitCode;
  beforeEach(() => {
    before = process.exitCode;
  });
  afterEach(() => {
    process.exitCode = before;
    vi.restoreAllMocks();
  });

  it.each([
    ['nothing', undefined, 0],
    ['no', EXIT.no, 1],
  ] as const)('exits as an action that returned %s says', async (_what, answer, code) => {
    await withExit(() => Promise.resolve(answer))();
    expect(process.exitCode).toBe(code);
  });

  it('says what was thrown on stderr and exits by its code', async () => {
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    await withExit(() => Promise.reject(new RecallError('ERR_STORE_UNAVAILABLE', 'No ClickHouse')))();
    expect(write).toHaveBeenCalledWith('token-recall: No ClickHouse\n');
    expect(process.exitCode).toBe(3);
  });

  it('leaves mistakes in the command line to the program', async () => {
    const mistake = new CommanderError(1, 'commander.invalidArgument', 'no');
    await expect(withExit(() => Promise.reject(mistake))()).rejects.toBe(mistake);
  });
});
