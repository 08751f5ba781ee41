import { appendFile, copyFile, mkdtemp, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sourceConfig } from '../../../schemas/config-sources.ts';
import { RecallError } from '../../../src/errors.ts';
import { BATCH_RECORDS } from '../../../src/sources/batches.ts';
import { createSources } from '../../../src/sources/registry.ts';
import { silentLog, startSource, type SourceRun } from '../../support/source-runs.ts';

let folder: string;
let path: string;
const runs: SourceRun[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'token-recall-file-'));
  path = join(folder, 'access.ndjson');
});

afterEach(async () => {
  await Promise.allSettled(runs.splice(0).map((run) => run.stop()));
  await rm(folder, { recursive: true });
});

function source(file: string, follow = false) {
  const config = sourceConfig.parse({ kind: 'file', path: file, follow });
  return createSources([config], { log: silentLog, maxLine: 1_000 })[0]!;
}

function start(file: string, follow = false, handler?: Parameters<typeof startSource>[1]) {
  const run = startSource(source(file, follow), handler);
  runs.push(run);
  return run;
}

describe('a file read once', () => {
  it('is read to its end, in bounded batches', async () => {
    const lines = Array.from({ length: BATCH_RECORDS + 10 }, (_, at) => `line ${at}`);
    await writeFile(path, lines.join('\n'));
    const run = start(path);
    await run.ended;
    expect(run.texts()).toEqual(lines);
    expect(run.batches.map((batch) => batch.records.length)).toEqual([BATCH_RECORDS, 10]);
    expect(run.batches[0]).toMatchObject({ source: `file:${path}`, stream: 'access', format: 'canonical' });
  });

  it('is decompressed where it ends in .gz, several members too', async () => {
    const file = `${path}.gz`;
    await writeFile(file, Buffer.concat([gzipSync('a\nb\n'), gzipSync('c\n')]));
    const run = start(file);
    await run.ended;
    expect(run.texts()).toEqual(['a', 'b', 'c']);
  });

  it('has a line of 10 MB refused without being held, and its neighbours taken', async () => {
    await writeFile(path, `before\n${'x'.repeat(10 * 2 ** 20)}\nafter`);
    const run = start(path);
    await run.ended;
    const records = run.batches.flatMap((batch) => batch.records);
    expect(records.map((record) => record.refused?.size)).toEqual([undefined, 10 * 2 ** 20, undefined]);
    expect(records[1]!.bytes.byteLength).toBeLessThanOrEqual(1_001);
    expect(Buffer.from(records[2]!.bytes).toString()).toBe('after');
  });

  it('is read no further while a batch is not durable, and hands a rejected batch over again', async () => {
    await writeFile(path, 'line of text\n'.repeat(BATCH_RECORDS * 3));
    let calls = 0;
    const run = start(path, false, () => {
      calls += 1;
      if (calls === 2) throw new RecallError('ERR_STORE_UNAVAILABLE', 'away');
      return Promise.resolve(undefined);
    });
    await run.ended;
    expect(calls).toBe(4);
    expect(run.texts()).toHaveLength(BATCH_RECORDS * 3);
  });

  it.each([
    ['that is not there', () => path, /ENOENT/],
    ['that is a folder', () => folder, /EISDIR/],
    ['that is no gzip', () => `${path}.gz`, /header/],
  ])('%s is an error that names it', async (_, file, problem) => {
    await writeFile(`${path}.gz`, 'plain text');
    const run = start(file());
    await expect(run.ended).rejects.toMatchObject({ code: 'ERR_SOURCE_READ' });
    await expect(run.ended).rejects.toThrow(problem);
    await expect(run.ended).rejects.toThrow(`cannot read ${file()}`);
  });

  it('passes on the error of a handler that gives up', async () => {
    await writeFile(path, 'a\n');
    const run = start(path, false, () => Promise.reject(new RecallError('ERR_STORE_REFUSED', 'no')));
    await expect(run.ended).rejects.toMatchObject({ code: 'ERR_STORE_REFUSED' });
  });
});

describe('a file followed', () => {
  it('is waited for, and read as it grows, a line only when it is whole', async () => {
    const run = start(path, true);
    await writeFile(path, 'one\ntw');
    await run.reached(1);
    await appendFile(path, 'o\nthree\n');
    await run.reached(3);
    expect(run.texts()).toEqual(['one', 'two', 'three']);
  });

  it('goes on in the new file after a rename, without losing what the old one still got', async () => {
    await writeFile(path, 'old 1\n');
    const run = start(path, true);
    await run.reached(1);
    await rename(path, `${path}.1`);
    await appendFile(`${path}.1`, 'old 2\n');
    await writeFile(path, 'new 1\n');
    await appendFile(`${path}.1`, 'old 3\nold 4 without end');
    await run.reached(5);
    await appendFile(path, 'new 2\n');
    await run.reached(6);
    expect(run.texts()).toEqual(['old 1', 'old 2', 'old 3', 'old 4 without end', 'new 1', 'new 2']);
  });

  it('waits after a rotation for writers that still have the old file, however long it was quiet before', async () => {
    await writeFile(path, 'old 1\n');
    const followed = source(path, true);
    const run = startSource(followed);
    runs.push(run);
    await run.reached(1);
    // Nothing tells how long the file has been quiet, so it is waited for.
    await delay(1_500);
    await rename(path, `${path}.1`);
    await writeFile(path, 'new 1\n');
    await expect.poll(() => followed.health().detail, { interval: 10 }).toContain('rotated');
    await appendFile(`${path}.1`, 'old 2\n');
    await run.reached(3);
    expect(run.texts()).toEqual(['old 1', 'old 2', 'new 1']);
  });

  it('reads the old file to its end even where it is deleted, and files of quick rotations in turn', async () => {
    await writeFile(path, '1\n');
    const followed = source(path, true);
    const run = startSource(followed);
    runs.push(run);
    await run.reached(1);
    await appendFile(path, '2\n');
    await rm(path);
    await writeFile(path, '3\n');
    // The second rotation comes when the first was seen, and before the first file is left.
    await expect.poll(() => followed.health().detail).toContain('rotated');
    await rename(path, `${path}.1`);
    await writeFile(path, '4\n');
    await run.reached(4);
    expect(run.texts()).toEqual(['1', '2', '3', '4']);
  });

  it('begins anew where the file was copied and emptied, also where it has grown past the old end since', async () => {
    await writeFile(path, 'old 1\nold 2\n');
    const run = start(path, true);
    await run.reached(2);
    await copyFile(path, `${path}.1`);
    await truncate(path, 0);
    await appendFile(path, 'a\n');
    await run.reached(3);
    await copyFile(path, `${path}.2`);
    await truncate(path, 0);
    await appendFile(path, 'much longer than all that was there before\nend\n');
    await run.reached(5);
    expect(run.texts().slice(2)).toEqual(['a', 'much longer than all that was there before', 'end']);
  });

  it('says what it waits for', async () => {
    const followed = source(path, true);
    const run = startSource(followed);
    runs.push(run);
    await expect
      .poll(() => followed.health())
      .toEqual({ ok: true, detail: `${path}: waiting for the file to appear` });
    await writeFile(path, 'abc\n');
    await expect.poll(() => followed.health().detail).toBe(`${path}: followed to byte 4`);
  });

  it('cannot be compressed', () => {
    expect(() => source(`${path}.gz`, true)).toThrow(expect.objectContaining({ code: 'ERR_CONFIG_INVALID' }));
  });
});
