import { randomBytes } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { chmod, link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import type { ApiConfig } from '../../schemas/config.ts';
import { secret, type Secret } from '../../schemas/secret.ts';
import { messageOf, RecallError } from '../errors.ts';

/** reader: looks; operator: acts as well; ingest: pushes logs, nothing else. */
export type Role = ApiConfig['tokens'][number]['role'];

/** A bearer credential of the API. */
export interface ApiCredential {
  name: string;
  role: Role;
  token: Secret;
}

const FILE = 'api-tokens.json';
const ROLES = ['reader', 'operator', 'ingest'] as const satisfies readonly Role[];
/** The b64token of RFC 6750 section 2.1: what an Authorization header can carry. */
const B64TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/;
const MIN_LENGTH = 16;

const generatedFile = z.record(z.enum(ROLES), z.string().min(MIN_LENGTH));

/** Whether every address that `host` stands for is one that only this machine reaches. */
async function isLoopback(host: string): Promise<boolean> {
  const addresses = ipaddr.isValid(host)
    ? [host]
    : await lookup(host, { all: true }).then(
        (found) => found.map((one) => one.address),
        (error: unknown) => {
          throw new RecallError('ERR_API_ADDRESS', `api.host: cannot resolve ${host}: ${messageOf(error)}`, {
            cause: error,
          });
        },
      );
  return addresses.length > 0 && addresses.every((address) => ipaddr.process(address).range() === 'loopback');
}

function checkConfigured(tokens: ApiConfig['tokens']): ApiCredential[] {
  const problem = (index: number, what: string) =>
    new RecallError('ERR_CONFIG_INVALID', `api.tokens.${String(index)}: ${what}`);
  for (const [index, { name, token }] of tokens.entries()) {
    const value = token.reveal();
    if (value.length < MIN_LENGTH) {
      throw problem(
        index,
        `token is too short (got ${String(value.length)} characters, expected 16 or more)`,
      );
    }
    if (!B64TOKEN.test(value)) {
      throw problem(index, 'token has characters that a bearer token cannot carry (RFC 6750 section 2.1)');
    }
    const before = tokens.slice(0, index);
    if (before.some((other) => other.name === name)) throw problem(index, `name ${name} is used twice`);
    if (before.some((other) => other.token.reveal() === value)) {
      throw problem(index, 'token is the same as another one: the audit trail could not tell them apart');
    }
  }
  return [...tokens];
}

async function readGenerated(path: string): Promise<ApiCredential[] | null> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw new RecallError('ERR_CONFIG_READ', `${path}: ${messageOf(error)}`, { cause: error });
  });
  if (text === null) return null;
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    content = undefined; // The parser's message would quote the tokens.
  }
  const parsed = generatedFile.safeParse(content);
  if (!parsed.success) {
    throw new RecallError(
      'ERR_CONFIG_READ',
      `${path} is damaged: remove it to have new credentials generated`,
    );
  }
  await chmod(path, 0o600);
  return ROLES.map((role) => ({ name: role, role, token: secret(parsed.data[role]) }));
}

async function generate(dataDir: string, path: string): Promise<void> {
  const tokens = Object.fromEntries(ROLES.map((role) => [role, randomBytes(32).toString('base64url')]));
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await writeFile(draft, `${JSON.stringify(tokens, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
    // A link fails where the file is there: of two processes that start at once, both use the first one's.
    await link(draft, path).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    });
  } catch (error) {
    throw new RecallError('ERR_CONFIG_READ', `cannot write ${path}: ${messageOf(error)}`, { cause: error });
  } finally {
    await rm(draft, { force: true });
  }
}

/**
 * The bearer credentials of the API. Where none are configured and only this machine can reach the address,
 * one of each role is generated once, in `api-tokens.json` under `dataDir` (mode 0600), and used from then on.
 *
 * @throws RecallError ERR_CONFIG_EXPOSED where others could reach an API without configured credentials;
 *   ERR_CONFIG_INVALID for a token that is too short, unusable or used twice; ERR_CONFIG_READ for the file;
 *   ERR_API_ADDRESS for a host that does not resolve
 */
export async function resolveCredentials(config: ApiConfig, dataDir: string): Promise<ApiCredential[]> {
  if (config.tokens.length > 0) return checkConfigured(config.tokens);
  if (!(await isLoopback(config.host))) {
    throw new RecallError(
      'ERR_CONFIG_EXPOSED',
      `api.host is ${config.host}, which others can reach, and api.tokens is empty: ` +
        'configure api.tokens, or listen on 127.0.0.1',
    );
  }
  const path = join(dataDir, FILE);
  const kept = await readGenerated(path);
  if (kept !== null) return kept;
  await generate(dataDir, path);
  const made = await readGenerated(path);
  if (made === null) throw new RecallError('ERR_CONFIG_READ', `${path} went away while it was written`);
  return made;
}
