import { openSync } from 'node:fs';
import { DataType, load, open } from 'ffi-rs';

/**
 * The process that is the embedded ClickHouse. Started by `launch.ts` with an IPC channel and three arguments:
 * the shared library, the configuration file, the lock file.
 *
 * The library carries ClickHouse's local mode, whose `SYSTEM START LISTEN` opens the very listeners of a server.
 * They live as long as the query after it, which therefore never ends. It runs on a thread of its own, so that
 * this thread sees the channel close: the engine ends with its parent, however that ended.
 */
const launchQuery = (native: boolean) =>
  [
    'SYSTEM START LISTEN HTTP',
    ...(native ? ['SYSTEM START LISTEN TCP'] : []),
    'SELECT sleepEachRow(3) FROM system.numbers SETTINGS max_block_size = 1 FORMAT Null',
  ].join('; ');

// flock(2): LOCK_EX | LOCK_NB. The kernel lets go of it when this process ends, so that no lock is ever stale.
const LOCK_EXCLUSIVE_NOW = 2 | 4;

function lock(path: string): boolean {
  open({ library: 'c', path: process.platform === 'darwin' ? 'libSystem.B.dylib' : 'libc.so.6' });
  const answer = load({
    library: 'c',
    funcName: 'flock',
    retType: DataType.I32,
    paramsType: [DataType.I32, DataType.I32],
    paramsValue: [openSync(path, 'a', 0o600), LOCK_EXCLUSIVE_NOW],
  });
  return answer === 0;
}

async function serve(library: string, configFile: string, native: boolean): Promise<void> {
  open({ library: 'clickhouse', path: library });
  // Local mode takes the log level from here only, not from the configuration file.
  const argv = [
    'clickhouse',
    `--config-file=${configFile}`,
    '--log-level=warning',
    `--query=${launchQuery(native)}`,
  ];
  await load({
    library: 'clickhouse',
    funcName: 'chdb_query_cmdline',
    retType: DataType.I32,
    paramsType: [DataType.I32, DataType.StringArray],
    paramsValue: [argv.length, argv],
    runInNewThread: true,
  });
}

const [library = '', configFile = '', lockFile = ''] = process.argv.slice(2);
// What is acknowledged is on disk, so an abrupt end is a safe one; the library's own exit handlers may hang.
// A supervisor that signals all processes of a service means the parent, which needs the engine until it is done.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.once('message', (message) => {
  // It only ever returns because it failed; the log says why.
  void serve(library, configFile, message === 'start with native port').finally(() => process.exit(1));
});
process.send?.(lock(lockFile) ? 'locked' : 'busy');
