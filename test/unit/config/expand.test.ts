import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expandText } from '../../../src/config/expand.ts';
import { loadConfig } from '../../../src/config/load.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'recall-expand-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function load(yaml: string, env: NodeJS.ProcessEnv = {}) {
  const file = join(folder, 'c.yaml');
  writeFileSync(file, yaml);
  return (await loadConfig(file, env)).config;
}

const text = (input: string, env: NodeJS.ProcessEnv = {}) => {
  const result = expandText(input, env);
  return result.ok ? result.text : result.problem;
};

describe('expansions in a text', () => {
  it.each([
    ['a variable', '${A}', { A: 'x' }, 'x'],
    ['several, with text around', 'http://${H}:${P}/', { H: 'h', P: '1' }, 'http://h:1/'],
    ['a default where the variable is unset', '${A:-x}', {}, 'x'],
    ['a default where it is empty, as in a shell', '${A:-x}', { A: '' }, 'x'],
    ['no default where it is set', '${A:-x}', { A: 'y' }, 'y'],
    ['an empty default', '[${A:-}]', {}, '[]'],
    ['an empty variable without default', '[${A}]', { A: '' }, '[]'],
    ['the escape', '$${A} $A $$', { A: 'x' }, '${A} $A $$'],
    ['what is inserted is not expanded again', '${A}', { A: '${B}', B: 'x' }, '${B}'],
    ['an unset variable', '${A}', {}, 'environment variable A is not set'],
    ['an unclosed brace', 'a${A', { A: 'x' }, '"${" without its "}"'],
    ['a name that is none', '${A B}', {}, '"${…}" is no expansion'],
  ])('%s', (_what, input, env, expected) => {
    expect(text(input, env)).toBe(expected);
  });

  it('reads a file without its last line end, and only that', () => {
    const file = join(folder, 'secret');
    writeFileSync(file, 'line\n\r\n');
    expect(text(`\${file:${file}}`)).toBe('line\n');
  });

  it('names the file that cannot be read', async () => {
    const missing = join(folder, 'missing');
    await expect(load(`store:\n  password: \${file:${missing}}\n`)).rejects.toThrow(
      `c.yaml:2:13 store.password: cannot read the file: ENOENT: no such file or directory, open '${missing}'`,
    );
  });
});

it('is said once where it cannot be made, not again for what follows from it', async () => {
  await expect(load('api:\n  port: ${PORT}\n')).rejects.toThrow(
    /^\S+c\.yaml:2:9 api\.port: environment variable PORT is not set[^\n]*$/,
  );
});

describe('types of expanded values', () => {
  it('are those that the option wants, where the value is unquoted', async () => {
    const env = { PORT: '0', ON: 'false', RISK: '0.75', DIGITS: '0123', WORD: 'true' };
    const config = await load(
      'api: \n  port: ${PORT}\n  enabled: ${ON}\npolicy:\n  alert_threshold: ${RISK}\nstore:\n  password: ${DIGITS}\n  username: ${WORD}\ndata_dir: ${NONE:-7}\n',
      env,
    );
    expect(config.api).toMatchObject({ port: 0, enabled: false });
    expect(config.policy.alert_threshold).toBe(0.75);
    expect(config.store.password?.reveal()).toBe('0123');
    expect(config.store.username).toBe('true');
    expect(config.data_dir).toBe('7');
  });

  it('are text where the value is quoted', async () => {
    await expect(load('api:\n  port: "${PORT}"\n', { PORT: '1' })).rejects.toThrow(
      'api.port: wrong type (got the value of ${PORT}, expected a number)',
    );
  });

  it('reach the options of detectors, and values that an alias repeats', async () => {
    const config = await load(
      'detectors:\n  token-replay:\n    enabled: ${ON}\nsources:\n  - kind: file\n    path: &p ${FILE}\n  - kind: file\n    path: *p\n',
      { ON: 'false', FILE: 'a' },
    );
    expect(config.detectors['token-replay']).toEqual({ enabled: false });
    expect(config.sources).toMatchObject([{ path: 'a' }, { path: 'a' }]);
  });
});
