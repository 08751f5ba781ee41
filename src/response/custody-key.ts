import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { secret, type Secret } from '../../schemas/secret.ts';
import { messageOf, RecallError } from '../errors.ts';

const KEY_BYTES = 32;

/**
 * The 32 bytes of a custody key.
 *
 * @param key base64 (either alphabet) of 32 bytes
 * @param origin where the key came from, for the error
 * @throws RecallError ERR_CUSTODY_KEY where it is anything else
 */
export function decodeKey(key: Secret, origin: string): Buffer {
  const text = key.reveal().trim();
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) {
    throw new RecallError(
      'ERR_CUSTODY_KEY',
      `${origin} must be ${KEY_BYTES} bytes in base64 (got ${text.length} characters); make one with: openssl rand -base64 ${KEY_BYTES}`,
    );
  }
  return Buffer.from(text, 'base64');
}

/**
 * The custody key of an embedded installation: `custody.key` in `dataDir`, mode 0600, made at first use.
 * Processes that start at once agree on one: the file appears complete or not at all.
 *
 * @throws RecallError ERR_CUSTODY_KEY where the file cannot be read or made, or holds no key
 */
export async function loadOrCreateKey(dataDir: string): Promise<Secret> {
  const path = join(dataDir, 'custody.key');
  try {
    const key = secret((await readKey(path)) ?? (await createKey(dataDir, path)));
    decodeKey(key, path);
    return key;
  } catch (error) {
    if (error instanceof RecallError) throw error;
    throw new RecallError('ERR_CUSTODY_KEY', `custody key ${path}: ${messageOf(error)}`, { cause: error });
  }
}

async function readKey(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Writes a fresh key beside `path` and links it there, which fails where another process came first. */
async function createKey(dataDir: string, path: string): Promise<string> {
  await mkdir(dataDir, { recursive: true });
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(`${randomBytes(KEY_BYTES).toString('base64')}\n`);
    await file.sync();
    await link(draft, path);
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error;
  } finally {
    await file.close();
    await unlink(draft);
  }
  return (await readFile(path, 'utf8')).trim();
}

const isCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;
