import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { RecallError, messageOf } from '../../errors.ts';

/** Where everything of the embedded ClickHouse lies, under `<dataDir>/clickhouse`. */
export function embeddedPaths(dataDir: string) {
  // Absolute: ClickHouse takes a relative path to be one of its own.
  const root = resolve(dataDir, 'clickhouse');
  return {
    root,
    data: join(root, 'data'),
    config: join(root, 'config.xml'),
    users: join(root, 'users.xml'),
    credentials: join(root, 'credentials.json'),
    endpoint: join(root, 'endpoint.json'),
    lock: join(root, 'lock'),
    log: join(root, 'clickhouse.log'),
  };
}
export type EmbeddedPaths = ReturnType<typeof embeddedPaths>;

const account = z.object({ username: z.string(), password: z.string() });
const credentials = z.object({ writer: account, analyst: account });
/** The two users of the embedded ClickHouse. Never log one: the passwords are in clear. */
export type EmbeddedCredentials = z.infer<typeof credentials>;

const endpoint = z.object({
  url: z.string(),
  tcp: z.object({ host: z.string(), port: z.number() }).optional(),
  database: z.string(),
  pid: z.number(),
});
/** Where the embedded ClickHouse listens, or listened last. */
export type EmbeddedEndpoint = z.infer<typeof endpoint>;

/** Writes `text` at once or not at all, readable by the owner only. */
export async function writePrivate(path: string, text: string): Promise<void> {
  const draft = `${path}.${process.pid}.new`;
  await writeFile(draft, text, { mode: 0o600 });
  await rename(draft, path);
}

async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw new RecallError(
      'ERR_STORE_EMBEDDED',
      `${path} is not what was written there: ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  }
}

/** The endpoint recorded under the data directory; undefined where no embedded ClickHouse ever ran. */
export function readEndpoint(paths: EmbeddedPaths): Promise<EmbeddedEndpoint | undefined> {
  return readJson(paths.endpoint, endpoint);
}

/** The credentials under the data directory; undefined where there are none yet. */
export function readCredentials(paths: EmbeddedPaths): Promise<EmbeddedCredentials | undefined> {
  return readJson(paths.credentials, credentials);
}

/** The credentials under the data directory, generated on first use (256 random bits each). */
export async function ensureCredentials(paths: EmbeddedPaths): Promise<EmbeddedCredentials> {
  const known = await readCredentials(paths);
  if (known !== undefined) return known;
  const password = () => randomBytes(32).toString('base64url');
  const fresh = {
    writer: { username: 'writer', password: password() },
    analyst: { username: 'analyst', password: password() },
  };
  await writePrivate(paths.credentials, `${JSON.stringify(fresh, null, 2)}\n`);
  return fresh;
}

/** Creates the directory, closed to other users. */
export async function ensureRoot(paths: EmbeddedPaths): Promise<void> {
  await mkdir(paths.root, { recursive: true, mode: 0o700 });
}

/** Text made safe for an XML element. */
const xml = (text: string | number) =>
  String(text).replace(/[&<>"]/g, (sign) => `&#${sign.codePointAt(0) ?? 0};`);

/** The server configuration. Files in `config.d/` beside it are merged by ClickHouse, for those who tune. */
export function configXml(paths: EmbeddedPaths, ports: { http: number; tcp: number | undefined }): string {
  return `<clickhouse>
  <logger><log>${xml(paths.log)}</log></logger>
  <path>${xml(paths.data)}/</path>
  <listen_host>127.0.0.1</listen_host>
  <http_port>${xml(ports.http)}</http_port>
  ${ports.tcp === undefined ? '' : `<tcp_port>${xml(ports.tcp)}</tcp_port>`}
  <users_config>${xml(paths.users)}</users_config>
  <max_server_memory_usage_to_ram_ratio>0.5</max_server_memory_usage_to_ram_ratio>
  <mark_cache_size>134217728</mark_cache_size>
</clickhouse>
`;
}

const CATALOGUE = ['one', 'numbers', 'functions', 'formats', 'settings', 'data_type_families', 'time_zones'];

/**
 * The users. `default` exists because the launching session of child.ts is it, without a password; as that session
 * is the one it may have and lasts as long as the engine, nobody else can log in as `default`. It can do nothing
 * but listen anyway. Passwords are stored as SHA-256: they are random, so there is nothing to guess.
 */
export function usersXml(database: string, { writer, analyst }: EmbeddedCredentials): string {
  const loopback = '<networks><ip>127.0.0.1</ip></networks>';
  const user = (name: string, secret: string, profile: string, grants: string[]) => `
    <${xml(name)}>${secret}${loopback}<profile>${profile}</profile><quota>default</quota>
      <grants>${grants.map((grant) => `<query>${xml(grant)}</query>`).join('')}</grants>
    </${xml(name)}>`;
  const sha256 = (text: string) =>
    `<password_sha256_hex>${createHash('sha256').update(text).digest('hex')}</password_sha256_hex>`;
  const bounded = { max_memory_usage: 4_000_000_000, max_execution_time: 120 };
  const limits = Object.entries(bounded);
  return `<clickhouse>
  <profiles>
    <default/>
    <launch><max_sessions_for_user>1</max_sessions_for_user></launch>
    <analyst>
      <readonly>2</readonly><final>1</final>
      ${limits.map(([name, most]) => `<${name}>${most}</${name}>`).join('')}
      <constraints>${limits.map(([name, most]) => `<${name}><min>1</min><max>${most}</max></${name}>`).join('')}</constraints>
    </analyst>
  </profiles>
  <quotas><default/></quotas>
  <users>${user('default', '<password></password>', 'launch', [
    'GRANT SYSTEM LISTEN ON *.*',
    'GRANT SELECT ON system.numbers',
  ])}${user(writer.username, sha256(writer.password), 'default', [
    `GRANT ALL ON ${database}.*`,
    'GRANT SELECT ON system.*',
    'GRANT TABLE ENGINE ON *',
    // Distributed tables.
    'GRANT REMOTE ON *.*',
  ])}${user(analyst.username, sha256(analyst.password), 'analyst', [
    `GRANT SELECT, SHOW ON ${database}.*`,
    // What clients and BI tools ask to complete and to format.
    ...CATALOGUE.map((table) => `GRANT SELECT ON system.${table}`),
    `REVOKE SELECT ON ${database}.token_custody`,
    `REVOKE SELECT(sealed) ON ${database}.dead_letters`,
  ])}
  </users>
</clickhouse>
`;
}
