import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { createStdinSource } from '../../../src/sources/stdin.ts';
import { silentLog, startSource } from '../../support/source-runs.ts';

const config = { kind: 'stdin', stream: 'authorization', format: 'canonical' } as const;
const deps = { log: silentLog, maxLine: 1_000 };

it('hands lines over as they come, and ends with the input', async () => {
  const input = new PassThrough();
  const run = startSource(createStdinSource(config, deps, input));
  input.write('one\ntwo\nthr');
  await run.reached(2);
  input.end('ee');
  await run.ended;
  expect(run.texts()).toEqual(['one', 'two', 'three']);
  expect(run.batches[0]).toMatchObject({ source: 'stdin', stream: 'authorization' });
});

it('ends when aborted, though the input stays open', async () => {
  const input = new PassThrough();
  const run = startSource(createStdinSource(config, deps, input));
  input.write('one\n');
  await run.reached(1);
  await run.stop();
  expect(run.texts()).toEqual(['one']);
});

it('reads no further while a batch is not durable', async () => {
  const input = new PassThrough();
  const release: (() => void)[] = [];
  const run = startSource(createStdinSource(config, deps, input), async () => {
    await new Promise<void>((resolve) => release.push(resolve));
    return undefined;
  });
  input.write('one\n');
  await expect.poll(() => release.length).toBe(1);
  while (input.write('x'.repeat(900).concat('\n')));
  expect(input.writableNeedDrain).toBe(true);
  expect(release).toHaveLength(1);
  release.pop()?.();
  await expect.poll(() => release.length).toBe(1);
  release.pop()?.();
  await run.stop();
});
