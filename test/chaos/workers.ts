import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../support/processes.ts';
import { projectRoot } from '../support/run-cli.ts';
import { startSignalled, type SignalledChild } from './child.ts';
import { scrape } from './metrics.ts';

/** Exit code of a worker that could not reach at its start what it needs: whoever runs it starts it again. */
const NOT_REACHED = 3;
/** 128 and SIGTERM. */
const TERMINATED = 143;
/** A worker that cannot start is started again after this long, milliseconds. */
const AGAIN_AFTER = 1_000;
const STOP_WITHIN = 45_000;

interface Worker {
  readonly name: string;
  readonly log: string;
  readonly child: SignalledChild;
  /** Whether it was told to end. */
  told: boolean;
}

export interface Fleet {
  /** Starts one more worker. */
  join(): Promise<string>;
  /** Ends a worker by SIGTERM. */
  leave(which: number): Promise<string>;
  kill(which: number): Promise<string>;
  freeze(which: number): { name: string; thaw(): void } | null;
  /** Resolves when all that run say so in their log. */
  running(): Promise<void>;
  /** Ends all by SIGTERM. */
  end(): Promise<void>;
  /** What went wrong by itself: exit codes, and what the logs say at level error and above. */
  complaints(): Promise<string[]>;
  /** Sums of counters over all workers, as far as they could be asked before they ended. */
  counters(): Readonly<Record<string, number>>;
  /** Times a worker was started again because it could not reach what it needs. */
  restarts(): number;
}

/**
 * The workers of a run: processes of the command line, all with the same configuration but for their folders.
 * A worker that ends with "could not reach" at its start is started again, as a supervisor would.
 *
 * @param folder where data folders and logs go, a folder each
 */
export function createFleet(folder: string, configOf: (dataDir: string) => object): Fleet {
  const running: Worker[] = [];
  const troubles: string[] = [];
  const logs: string[] = [];
  const sums: Record<string, number> = {};
  let started = 0;
  let restarts = 0;
  let closing = false;

  async function start(): Promise<string> {
    started += 1;
    const name = `worker-${started}`;
    const dataDir = join(folder, name);
    await mkdir(dataDir, { recursive: true });
    const config = join(dataDir, 'token-recall.yaml');
    await writeFile(config, JSON.stringify(configOf(dataDir), null, 2), { mode: 0o600 });
    const log = join(dataDir, 'worker.log');
    const command = ['--import', import.meta.resolve('tsx'), join(projectRoot, 'src/cli/main.ts')];
    const child = await startSignalled(process.execPath, [...command, 'run', '--config', config], log);
    const worker: Worker = { name, log, child, told: false };
    logs.push(log);
    running.push(worker);
    void child.ended.then(async (code) => {
      if (running.includes(worker)) running.splice(running.indexOf(worker), 1);
      if (worker.told) return;
      if (code !== NOT_REACHED || (await isRunning(worker))) {
        troubles.push(`${name} ended by itself with code ${code}: ${await lastLines(log)}`);
      }
      await delay(AGAIN_AFTER);
      if (closing) return;
      restarts += 1;
      await start();
    });
    return name;
  }

  const choose = (which: number): Worker | undefined => running[which % Math.max(1, running.length)];

  async function ask(worker: Worker): Promise<void> {
    const dataDir = join(worker.log, '..');
    for (const [name, value] of Object.entries(await scrape(worker.log, dataDir))) {
      sums[name] = (sums[name] ?? 0) + value;
    }
  }

  async function terminate(worker: Worker | undefined): Promise<string> {
    if (worker === undefined) return 'nobody: no worker runs';
    running.splice(running.indexOf(worker), 1);
    await ask(worker);
    worker.told = true;
    worker.child.signal('SIGTERM');
    const late = setTimeout(() => {
      troubles.push(`${worker.name} did not end within ${STOP_WITHIN / 1000} s of SIGTERM`);
      worker.child.signal('SIGKILL');
    }, STOP_WITHIN);
    const code = await worker.child.ended;
    clearTimeout(late);
    // One that is only starting knows of no shutdown yet.
    const early = code === TERMINATED && !(await isRunning(worker));
    if (code !== 0 && !early)
      troubles.push(`${worker.name} ended with code ${code} on SIGTERM: ${await lastLines(worker.log)}`);
    return worker.name;
  }

  return {
    join: start,
    leave: (which) => terminate(choose(which)),
    async kill(which) {
      const worker = choose(which);
      if (worker === undefined) return 'nobody: no worker runs';
      running.splice(running.indexOf(worker), 1);
      await ask(worker);
      worker.told = true;
      worker.child.signal('SIGKILL');
      await worker.child.ended;
      return worker.name;
    },
    freeze(which) {
      const worker = choose(which);
      if (worker === undefined) return null;
      worker.child.signal('SIGSTOP');
      return { name: worker.name, thaw: () => worker.child.signal('SIGCONT') };
    },
    running: () =>
      until(
        async () => running.length > 0 && (await Promise.all(running.map(isRunning))).every(Boolean),
        60_000,
        async () => `workers do not start; ${await lastLines(logs.at(-1) ?? '')}`,
      ),
    async end() {
      closing = true;
      await Promise.all([...running].map(terminate));
    },
    async complaints() {
      const lines = await Promise.all(logs.map(errorsIn));
      return [...troubles, ...lines.flat()];
    },
    counters: () => sums,
    restarts: () => restarts,
  };
}

const textOf = (log: string) => readFile(log, 'utf8').catch(() => '');

async function isRunning({ log }: Worker): Promise<boolean> {
  return (await textOf(log)).includes('token-recall is running');
}

async function lastLines(log: string): Promise<string> {
  return `the end of ${log}:\n${(await textOf(log)).trim().split('\n').slice(-6).join('\n')}`;
}

/** Lines of a worker's log (pino) at level error and above. */
async function errorsIn(log: string): Promise<string[]> {
  const lines = (await textOf(log))
    .split('\n')
    .filter((line) => /"level":(50|60)\b|"level":"(error|fatal)"/.test(line));
  return lines.length === 0 ? [] : [`${log} has ${lines.length} errors, the first: ${lines[0] ?? ''}`];
}
