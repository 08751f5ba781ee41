import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** Ports of 127.0.0.1 that nobody listens on, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer();
          server.once('error', reject);
          server.listen(0, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Asks until the answer is yes; a thrown error counts as no. The deadline's message tells the last one. */
export async function until(
  ask: () => Promise<boolean>,
  deadline: number,
  describe: () => Promise<string>,
): Promise<void> {
  const end = Date.now() + deadline;
  let last = '';
  while (Date.now() < end) {
    try {
      if (await ask()) return;
      last = '';
    } catch (error) {
      last = `; last error: ${error instanceof Error ? error.message : String(error)}`;
    }
    await delay(100);
  }
  throw new Error(`${await describe()}${last}`);
}

/** The end of a log file, for error messages. */
export async function logTail(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return `the end of ${path}:\n${text.split('\n').slice(-25).join('\n')}`;
}

function startFailure(command: string, hint: string, error: Error): Error {
  return 'code' in error && error.code === 'ENOENT' ? new Error(`${command} is not there: ${hint}`) : error;
}

/** Runs a command to its end; fails with its output where it does. */
export async function runToEnd(command: string, args: string[], hint: string, input = ''): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let output = '';
    const gather = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-4_000);
    };
    child.stdout.on('data', gather);
    child.stderr.on('data', gather);
    child.on('error', (error) => reject(startFailure(command, hint, error)));
    child.on('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${command} ended with code ${code}: ${output}`));
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

export interface Child {
  exited(): boolean;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
}

/**
 * Starts a server whose output goes to a file. It dies with this process, however that ends: a shell between
 * the two holds a pipe from here, and kills the server when the pipe closes.
 */
export function startChild(command: string, args: string[], log: string): Child {
  const out = openSync(log, 'a');
  const script =
    'exec 3<&0; "$@" 3<&- </dev/null & pid=$!; { cat <&3 >/dev/null; kill -9 $pid; } & wait $pid';
  const shell = spawn('sh', ['-c', script, 'sh', command, ...args], { stdio: ['pipe', out, out] });
  closeSync(out);
  let exited = false;
  const end = new Promise<void>((resolve) => {
    shell.on('exit', () => {
      exited = true;
      // The shell may end by itself; its watcher ends with the pipe.
      shell.stdin?.destroy();
      resolve();
    });
  });
  shell.stdin?.on('error', () => undefined);
  return {
    exited: () => exited,
    async kill() {
      shell.stdin?.destroy();
      await end;
    },
  };
}
