import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { config as configSchema, type ApiConfig } from '../../../schemas/config.ts';
import { secret } from '../../../schemas/secret.ts';
import { resolveCredentials } from '../../../src/api/credentials.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credentials-'));
});
afterEach(() => rm(folder, { recursive: true }));

const apiConfig = (change: Partial<ApiConfig> = {}): ApiConfig => ({
  ...configSchema.parse({}).api,
  ...change,
});
const random = () => randomBytes(24).toString('base64url');
const entry = (name: string, token: string) => ({ name, role: 'reader' as const, token: secret(token) });
const dataDir = () => join(folder, 'data');
const file = () => join(dataDir(), 'api-tokens.json');

describe('on loopback without configured tokens', () => {
  it.each(['127.0.0.1', '::1', 'localhost', '127.8.8.8'])(
    'generates one credential a role for %s',
    async (host) => {
      const made = await resolveCredentials(apiConfig({ host }), dataDir());
      expect(made.map(({ role }) => role)).toEqual(['reader', 'operator', 'ingest']);
      expect(new Set(made.map(({ token }) => token.reveal())).size).toBe(3);
      for (const { token } of made) expect(token.reveal()).toMatch(/^[\w-]{43}$/);
    },
  );

  it('keeps them in a file only its owner reads, and uses them again', async () => {
    const first = await resolveCredentials(apiConfig(), dataDir());
    expect((await stat(file())).mode & 0o777).toBe(0o600);
    const kept = JSON.parse(await readFile(file(), 'utf8')) as Record<string, string>;
    expect(kept.operator).toBe(first[1]!.token.reveal());
    const second = await resolveCredentials(apiConfig(), dataDir());
    expect(second.map(({ token }) => token.reveal())).toEqual(first.map(({ token }) => token.reveal()));
  });

  it('gives two processes that start at once the same credentials', async () => {
    const both = await Promise.all([0, 1].map(() => resolveCredentials(apiConfig(), dataDir())));
    const [one, other] = both.map((made) => made.map(({ token }) => token.reveal()));
    expect(one).toEqual(other);
  });

  it('closes a file that others may read', async () => {
    await resolveCredentials(apiConfig(), dataDir());
    await chmod(file(), 0o644);
    await resolveCredentials(apiConfig(), dataDir());
    expect((await stat(file())).mode & 0o777).toBe(0o600);
  });

  it('refuses a damaged file without quoting it', async () => {
    const [made] = await resolveCredentials(apiConfig(), dataDir());
    const value = made!.token.reveal();
    await writeFile(file(), `{"reader": ${value}}`);
    const error = await resolveCredentials(apiConfig(), dataDir()).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ERR_CONFIG_READ' });
    expect(String(error)).toContain(file());
    expect(String(error)).not.toContain(value);
  });
});

describe('on an address that others can reach', () => {
  it.each(['0.0.0.0', '::', '192.0.2.7', '2001:db8::1', '::ffff:192.0.2.7'])(
    'refuses %s without tokens, naming what to configure, and writes nothing',
    async (host) => {
      const attempt = resolveCredentials(apiConfig({ host }), dataDir());
      await expect(attempt).rejects.toMatchObject({
        code: 'ERR_CONFIG_EXPOSED',
        message: expect.stringMatching(/api\.host.*api\.tokens/) as unknown,
      });
      await expect(stat(dataDir())).rejects.toMatchObject({ code: 'ENOENT' });
    },
  );

  it('takes configured tokens', async () => {
    const tokens = [entry('soc', random())];
    expect(await resolveCredentials(apiConfig({ host: '0.0.0.0', tokens }), dataDir())).toEqual(tokens);
  });

  it('says when the host does not resolve', async () => {
    const attempt = resolveCredentials(apiConfig({ host: 'no-such-host.invalid' }), dataDir());
    await expect(attempt).rejects.toMatchObject({ code: 'ERR_API_ADDRESS' });
  });
});

describe('configured tokens', () => {
  it.each([
    ['too short', () => [entry('a', 'x7Qz')], /api\.tokens\.0: token is too short/],
    ['unusable in a header', () => [entry('a', 'has a space in its middle')], /api\.tokens\.0: .*RFC 6750/],
    [
      'named twice',
      () => [entry('a', random()), entry('a', random())],
      /api\.tokens\.1: name a is used twice/,
    ],
    [
      'used twice',
      () => ((token) => [entry('a', token), entry('b', token)])(random()),
      /api\.tokens\.1: .*the same/,
    ],
  ])('are refused when %s, without their value', async (_what, tokens, message) => {
    const configured = tokens();
    const error = await resolveCredentials(apiConfig({ tokens: configured }), dataDir()).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: 'ERR_CONFIG_INVALID' });
    expect(String(error)).toMatch(message);
    for (const { token } of configured) expect(String(error)).not.toContain(token.reveal());
  });
});
