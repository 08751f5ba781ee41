import { expect, it } from 'vitest';
import { sourceConfig } from '../../../schemas/config-sources.ts';
import { createSources } from '../../../src/sources/registry.ts';
import { silentLog } from '../../support/source-runs.ts';

const deps = { log: silentLog, maxLine: 1_000 };
const kafka = { kind: 'kafka', brokers: ['127.0.0.1:1'] };
const sourcesOf = (...configs: unknown[]) =>
  createSources(
    configs.map((config) => sourceConfig.parse(config)),
    deps,
  );

it.each([
  [{ kind: 'stdin' }, 'stdin'],
  [{ kind: 'file', path: '/var/log/access.ndjson' }, 'file:/var/log/access.ndjson'],
  [{ ...kafka, topics: ['a', 'b'] }, 'kafka:a,b'],
])('%o is %s', (config, name) => {
  const [source, ...others] = sourcesOf(config);
  expect(others).toEqual([]);
  expect(source?.name).toBe(name);
  expect(source?.health()).toMatchObject({
    ok: true,
    detail: expect.stringContaining('not started') as string,
  });
});

it('makes one source of the keyed topics of a cluster, and one of each other', () => {
  const sources = sourcesOf(
    { kind: 'stdin' },
    { ...kafka, topics: ['access'], keyed_by: 'subject' },
    { ...kafka, topics: ['other'] },
    { ...kafka, topics: ['authorization'], keyed_by: 'subject', stream: 'authorization' },
  );
  expect(sources.map(({ name }) => name)).toEqual(['kafka:access,authorization', 'kafka:other', 'stdin']);
});

it.each([{ kind: 'stdin' }, { ...kafka, topics: ['a'] }])(
  'refuses an unknown format before anything runs: %o',
  (config) => {
    expect(() => sourcesOf({ ...config, format: 'syslog' })).toThrow(
      'unknown format "syslog"; known: canonical',
    );
  },
);
