import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';

/** The lines of the error that `yaml` makes, with the name of its file shortened to `c.yaml`. */
export async function problemLines(yaml: string, env: NodeJS.ProcessEnv = {}): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'recall-config-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'c.yaml');
  writeFileSync(file, yaml);
  const error: unknown = await loadConfig(file, env).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: 'ERR_CONFIG_INVALID' });
  return (error as Error).message.split('\n').map((line) => line.replace(file, 'c.yaml'));
}
