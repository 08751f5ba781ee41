import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { version } from '../../../src/package.ts';
import { projectRoot, runCli } from '../../support/run-cli.ts';

describe('token-recall', { timeout: 30_000 }, () => {
  it('explains itself on stdout and exits 0', async () => {
    const { code, stdout, stderr } = await runCli(['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('Start here:');
    expect(stdout).toContain('Exit codes:');
  });

  it('prints its version', async () => {
    expect(await runCli(['--version'])).toEqual({ code: 0, stdout: `${version()}\n`, stderr: '' });
  });

  it.each([
    ['no command', [], 'Usage: token-recall'],
    ['a command that there is not', ['chek'], 'Did you mean check?'],
    ['no query', ['sql'], 'token-recall: No query'],
  ])('says on stderr what is wrong with %s and exits 2', async (_what, args, message) => {
    const { code, stdout, stderr } = await runCli(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
  });

  it('exits 3 where what it needs is not there', async () => {
    const { code, stdout, stderr } = await runCli(['sql', '--data-dir', 'no-such-folder', 'SELECT 1']);
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toMatch(/^token-recall: .*no-such-folder/);
  });

  it('ends quietly where its reader has gone', async () => {
    const command = `set -o pipefail; ${process.execPath} --import tsx src/cli/main.ts --help | true`;
    const { stderr } = await promisify(execFile)('bash', ['-c', command], { cwd: projectRoot });
    expect(stderr).toBe('');
  });
});
