import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { runCli } from '../../support/run-cli.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'recall-check-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const check = (yaml: string, args: string[] = [], env: Record<string, string> = {}) => {
  writeFileSync(join(folder, 'c.yaml'), yaml);
  return runCli(['check', '--config', 'c.yaml', ...args], { cwd: folder, env });
};

const BROKEN = 'polcy:\n  mode: enforce\nstore:\n  password: ${PASSWORD}\n';

describe('token-recall check', { timeout: 30_000 }, () => {
  it('prints the effective configuration of a valid file, secrets redacted', async () => {
    const password = 'correct-horse';
    const yaml = 'store:\n  url: http://127.0.0.1:8123\n  password: ${PASSWORD}\n';
    const { code, stdout, stderr } = await check(yaml, [], { PASSWORD: password });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).not.toContain(password);
    expect(parse(stdout)).toMatchObject({ store: { password: '[redacted]' }, api: { port: 7300 } });
  });

  it('prints all problems on stderr and exits 1', async () => {
    const { code, stdout, stderr } = await check(BROKEN);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    const [typo, secret, summary] = stderr.split('\n');
    expect(typo).toContain('c.yaml:1:1 polcy: unknown option, did you mean policy? (got polcy,');
    expect(secret).toBe(
      'c.yaml:4:13 store.password: environment variable PASSWORD is not set (got ${PASSWORD}, expected the variable set, or ${PASSWORD:-default})',
    );
    expect(summary).toBe('token-recall: c.yaml is not valid: 2 problems');
  });

  it('says the same to programs', async () => {
    const { code, stdout, stderr } = await check(BROKEN, ['--json']);
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      valid: false,
      problems: [
        expect.objectContaining({ file: 'c.yaml', line: 1, column: 1, path: 'polcy', got: 'polcy' }),
        expect.objectContaining({ file: 'c.yaml', line: 4, column: 13, path: 'store.password' }),
      ],
    });
    const valid = await check('api: { port: 0 }\n', ['--json']);
    expect(JSON.parse(valid.stdout)).toMatchObject({
      valid: true,
      problems: [],
      config: { api: { port: 0 } },
    });
  });

  it('names the file that it cannot read', async () => {
    const { code, stderr } = await runCli(['check', '--config', join(folder, 'none.yaml')]);
    expect(code).toBe(1);
    expect(stderr).toContain(join(folder, 'none.yaml'));
  });
});

describe('a command that needs the configuration', { timeout: 30_000 }, () => {
  it('says what is wrong with it as check does, and starts nothing', async () => {
    writeFileSync(join(folder, 'c.yaml'), BROKEN);
    const { code, stdout, stderr } = await runCli(['run', '--config', 'c.yaml'], { cwd: folder });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^c\.yaml:1:1 polcy: unknown option/);
  });
});
