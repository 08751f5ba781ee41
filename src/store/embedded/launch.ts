import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { RecallError, messageOf } from '../../errors.ts';
import { createClickHouse } from '../client.ts';
import {
  configXml,
  embeddedPaths,
  ensureCredentials,
  ensureRoot,
  readEndpoint,
  usersXml,
  writePrivate,
} from './files.ts';
import type { EmbeddedCredentials, EmbeddedEndpoint, EmbeddedPaths } from './files.ts';
import { clickHouseLibrary } from './library.ts';
import { loopbackPort } from './ports.ts';

export interface EmbeddedOptions {
  /** Directory of the product; everything lies in `clickhouse/` under it. */
  dataDir: string;
  database: string;
  /** Port on loopback; 0 takes a free one. */
  httpPort: number;
  /** Port of the native protocol; 0 takes a free one, undefined opens none. */
  tcpPort?: number | undefined;
}

/** A running embedded ClickHouse. */
export interface Embedded {
  readonly endpoint: EmbeddedEndpoint;
  readonly credentials: EmbeddedCredentials;
  /** Resolves when the process has ended, whoever ended it. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

const READY_WITHIN_MS = 60_000;
const LOG_TAIL_BYTES = 4096;

/**
 * Starts ClickHouse as a child process on the data directory and resolves when it answers queries.
 * It ends with this process, also on SIGKILL.
 *
 * @throws RecallError ERR_STORE_EMBEDDED: no library for the platform, data directory or port in use, start failed
 */
export async function launchEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const paths = embeddedPaths(options.dataDir);
  const library = clickHouseLibrary();
  await ensureRoot(paths);
  const child = spawnChild(library, paths);
  // A child that could not be started, or not be written to, shows by its end.
  child.on('error', () => undefined);
  const ended = once(child, 'exit').then(
    () => undefined,
    () => undefined,
  );
  try {
    await claim(child, ended, options.dataDir, paths);
    const ports = {
      http: await loopbackPort(options.httpPort, 'http_port'),
      tcp: options.tcpPort === undefined ? undefined : await loopbackPort(options.tcpPort, 'tcp_port'),
    };
    const credentials = await ensureCredentials(paths);
    await writePrivate(paths.config, configXml(paths, ports));
    await writePrivate(paths.users, usersXml(options.database, credentials));
    child.send(ports.tcp === undefined ? 'start' : 'start with native port');
    const endpoint: EmbeddedEndpoint = {
      url: `http://127.0.0.1:${ports.http}`,
      tcp: ports.tcp === undefined ? undefined : { host: '127.0.0.1', port: ports.tcp },
      database: options.database,
      pid: child.pid ?? 0,
    };
    await ready(endpoint, credentials, ended, paths);
    await writePrivate(paths.endpoint, `${JSON.stringify(endpoint)}\n`);
    // From here on the engine must not keep this process alive: it ends with it.
    child.unref();
    child.channel?.unref();
    return { endpoint, credentials, ended, stop: () => stop(child, ended) };
  } catch (error) {
    await stop(child, ended);
    throw error;
  }
}

function spawnChild(library: string, paths: EmbeddedPaths): ChildProcess {
  // Run from source, the script needs the loader that this process has; compiled, it is child.js and needs nothing.
  const source = fileURLToPath(new URL('./child.ts', import.meta.url));
  const compiled = !import.meta.url.endsWith('.ts');
  const loader = () => pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  const log = openSync(paths.log, 'a', 0o600);
  try {
    return fork(compiled ? source.replace(/ts$/, 'js') : source, [library, paths.config, paths.lock], {
      execArgv: compiled ? [] : ['--import', loader()],
      stdio: ['ignore', log, log, 'ipc'],
      // Of a process group of its own: Ctrl-C is for the product, which has rows to write before it stops.
      detached: true,
      // The secrets of the product's environment are none of the engine's business.
      env: { PATH: process.env['PATH'], TZ: 'UTC' },
    });
  } finally {
    closeSync(log);
  }
}

async function claim(
  child: ChildProcess,
  ended: Promise<void>,
  dataDir: string,
  paths: EmbeddedPaths,
): Promise<void> {
  const answer = await Promise.race([
    once(child, 'message').then(([message]: unknown[]) => message),
    ended.then(() => 'ended'),
  ]);
  if (answer === 'locked') return;
  if (answer !== 'busy') throw await failure('did not start', paths);
  const holder = await readEndpoint(paths).catch(() => undefined);
  throw new RecallError(
    'ERR_STORE_EMBEDDED',
    `the data directory ${dataDir} is in use by another process` +
      (holder === undefined ? '' : ` (its ClickHouse: process ${holder.pid}, ${holder.url})`) +
      '. Stop that one, or choose another data_dir',
  );
}

async function ready(
  endpoint: EmbeddedEndpoint,
  { writer }: EmbeddedCredentials,
  ended: Promise<void>,
  paths: EmbeddedPaths,
): Promise<void> {
  const client = createClickHouse({ url: endpoint.url, ...writer });
  const deadline = Date.now() + READY_WITHIN_MS;
  const over = new AbortController();
  void ended.then(() => over.abort());
  try {
    for (;;) {
      try {
        // As the writer: on a port that somebody else took meanwhile, another server may answer, but not to us.
        await client.query('SELECT 1');
        return;
      } catch (error) {
        if (over.signal.aborted) throw await failure('ended while starting', paths);
        if (Date.now() > deadline) throw await failure(`does not answer: ${messageOf(error)}`, paths);
        await Promise.race([delay(20), ended]);
      }
    }
  } finally {
    await client.close();
  }
}

async function stop(child: ChildProcess, ended: Promise<void>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.ref();
  child.kill('SIGKILL');
  await ended;
}

async function failure(what: string, paths: EmbeddedPaths): Promise<RecallError> {
  const tail = await logTail(paths.log);
  return new RecallError(
    'ERR_STORE_EMBEDDED',
    `the embedded ClickHouse ${what}. End of ${paths.log}:\n${tail === '' ? '(empty)' : tail}`,
  );
}

async function logTail(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const length = Math.min(size, LOG_TAIL_BYTES);
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString('utf8').trim();
  } finally {
    await file.close();
  }
}
