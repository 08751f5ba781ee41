import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadOrCreateKey } from '../../../src/response/custody-key.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'custody-key-'));
});
afterEach(async () => {
  await rm(dir, { recursive: true });
});

describe('loadOrCreateKey', () => {
  it('makes a key that only its owner reads, and finds it again', async () => {
    const data = join(dir, 'not', 'there', 'yet');
    const key = await loadOrCreateKey(data);
    expect(Buffer.from(key.reveal(), 'base64')).toHaveLength(32);
    expect((await stat(join(data, 'custody.key'))).mode & 0o777).toBe(0o600);
    expect((await loadOrCreateKey(data)).reveal()).toBe(key.reveal());
  });

  it('agrees on one key among processes that start at once, and leaves nothing else behind', async () => {
    for (let round = 0; round < 20; round += 1) {
      const data = join(dir, String(round));
      const starts = Array.from({ length: 20 }, async (_, turns) => {
        for (let turn = 0; turn < turns; turn += 1) await setImmediate();
        return loadOrCreateKey(data);
      });
      const keys = await Promise.all(starts);
      expect(new Set(keys.map((key) => key.reveal())).size).toBe(1);
      expect(await readdir(data)).toEqual(['custody.key']);
    }
  });

  it('does not replace a file that holds no key, and does not show what it holds', async () => {
    const path = join(dir, 'custody.key');
    await writeFile(path, 'something else\n');
    await expect(loadOrCreateKey(dir)).rejects.toMatchObject({
      code: 'ERR_CUSTODY_KEY',
      message: expect.not.stringContaining('something') as string,
    });
    expect(await readFile(path, 'utf8')).toBe('something else\n');
  });

  it('names the file that cannot be made', async () => {
    await writeFile(join(dir, 'data'), '');
    await expect(loadOrCreateKey(join(dir, 'data'))).rejects.toMatchObject({
      code: 'ERR_CUSTODY_KEY',
      message: expect.stringContaining(join(dir, 'data')) as string,
    });
  });
});
