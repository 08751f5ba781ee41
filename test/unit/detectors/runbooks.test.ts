import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { detectors } from '../../../detectors/registry.ts';
import { packageRoot } from '../../../src/package.ts';

const sources = (folder: string) =>
  readdirSync(join(packageRoot(), folder))
    .map((name) => readFileSync(join(packageRoot(), folder, name), 'utf8'))
    .join('\n');
const migrations = sources('schemas/clickhouse');
const routes = [...sources('src/api/routes').matchAll(/'(\/v1\/[^']+)'/g)].map(([, path = '']) => path);

/** An analyst follows a runbook at night: what it names must be there. */
describe.each(detectors.map(({ id, runbook }) => [id, runbook] as const))(
  'the runbook of %s',
  (_id, runbook) => {
    it('names only views that exist', () => {
      const views = [...runbook.matchAll(/view `([a-z_]+)`/g)].map(([, view = '']) => view);
      for (const view of views) expect(migrations).toContain(`VIEW IF NOT EXISTS {{database}}.${view}\n`);
    });

    it('names only routes that exist', () => {
      const named = [...runbook.matchAll(/`(?:GET|POST) (\/[^`]+)`/g)].map(([, path = '']) => path);
      expect(named.length).toBeGreaterThan(0);
      for (const path of named) expect(routes).toContain(path.replaceAll(/\{[a-z_]+\}/g, ':id'));
    });
  },
);
