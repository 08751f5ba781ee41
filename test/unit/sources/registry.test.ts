import { expect, it } from 'vitest';
import { sourceConfig } from '../../../schemas/config-sources.ts';
import { createSource } from '../../../src/sources/registry.ts';
import { silentLog } from '../../support/source-runs.ts';

const deps = { log: silentLog, maxLine: 1_000 };

it.each([
  [{ kind: 'stdin' }, 'stdin'],
  [{ kind: 'file', path: '/var/log/access.ndjson' }, 'file:/var/log/access.ndjson'],
  [{ kind: 'kafka', brokers: ['127.0.0.1:1'], topics: ['a', 'b'] }, 'kafka:a,b'],
])('%o is %s', (config, name) => {
  const source = createSource(sourceConfig.parse(config), deps);
  expect(source.name).toBe(name);
  expect(source.health()).toMatchObject({
    ok: true,
    detail: expect.stringContaining('not started') as string,
  });
});

it('refuses an unknown format before anything runs', () => {
  const config = sourceConfig.parse({ kind: 'stdin', format: 'syslog' });
  expect(() => createSource(config, deps)).toThrow('unknown format "syslog"; known: canonical');
});
