import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';

export interface SignalledChild {
  readonly pid: number;
  /** Exit code once it has ended (128 and the signal's number where one ended it), null before. */
  exitCode(): number | null;
  readonly ended: Promise<number>;
  signal(name: 'SIGTERM' | 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void;
}

/**
 * Starts a command whose output goes to a file and that can be sent signals. It dies with this process, however that
 * ends and even while it is stopped: a shell between the two holds a pipe from here, and kills it when the pipe closes.
 */
export async function startSignalled(command: string, args: string[], log: string): Promise<SignalledChild> {
  const out = openSync(log, 'a');
  const script =
    'exec 4<&0; "$@" 3>&- 4<&- </dev/null & pid=$!; echo $pid >&3; exec 3>&-; ' +
    '{ cat <&4 >/dev/null; kill -9 $pid 2>/dev/null; } & wait $pid';
  const shell = spawn('sh', ['-c', script, 'sh', command, ...args], { stdio: ['pipe', out, out, 'pipe'] });
  closeSync(out);
  let code: number | null = null;
  const ended = new Promise<number>((resolve) => {
    shell.on('exit', (status) => {
      code = status ?? 1;
      // The shell may end by itself; its watcher ends with the pipe.
      shell.stdin?.destroy();
      resolve(code);
    });
  });
  shell.stdin?.on('error', () => undefined);
  const [, , , report] = shell.stdio;
  if (report === null || report === undefined)
    throw new Error('the shell has no pipe to tell the process id');
  const [told] = (await once(report, 'data')) as [Buffer];
  const pid = Number(told.toString().trim());
  return {
    pid,
    ended,
    exitCode: () => code,
    signal(name) {
      if (code !== null) return;
      try {
        process.kill(pid, name);
      } catch (error) {
        // It ended by itself a moment ago, which its exit code tells.
        if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
      }
    },
  };
}
