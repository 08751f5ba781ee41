import { parseArgs } from 'node:util';
import type { Amount } from './plan.ts';

/** How the events of a subject are brought together, as configuration has it. */
export type Road = 'repartition' | 'keyed';

export interface ChaosOptions {
  runs: number;
  /** Seed of the first run; the others follow it by one. */
  seed: number;
  /** Least number of events a run, of both logs. */
  events: number;
  /** How many workers there are, one after the other. */
  workers: readonly [number, ...number[]];
  road: Road;
  faults: Amount;
  /** Events fed a second. */
  rate: number;
  json: boolean;
  /** Keeps data and logs of runs that passed as well. */
  keep: boolean;
}

export const USAGE = `Usage: npm run chaos -- [options]

Feeds a labelled stream through real Kafka, workers, ClickHouse and an authorization server, each a process of its own,
and kills, stops and restarts them meanwhile; then checks that nothing was lost and nothing done twice.

  --runs N            how many runs (1)
  --seed S            seed of the first run; run i takes S + i (1)
  --events N          at least so many events a run (200000)
  --workers A,B,C     how many workers, one after the other (1,3,2)
  --road R            repartition: sources keyed by nothing, through the repartition topic (default);
                      keyed: sources keyed by subject, without it
  --faults F          all (default), or some: one theme a run, by its seed, for short runs
  --rate N            events fed a second (2500)
  --json              one JSON document on stdout instead of the table
  --keep              keep data and logs of runs that passed too

Exit code: 0 all runs passed, 1 a run failed, 2 wrong usage.
`;

/**
 * Reads the command line; null where help is asked for.
 *
 * @throws Error saying what is wrong with it
 */
export function readOptions(args: readonly string[]): ChaosOptions | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: 'string', default: '1' },
      seed: { type: 'string', default: '1' },
      events: { type: 'string', default: '200000' },
      workers: { type: 'string', default: '1,3,2' },
      road: { type: 'string', default: 'repartition' },
      faults: { type: 'string', default: 'all' },
      rate: { type: 'string', default: '2500' },
      json: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return null;
  const [first, ...more] = values.workers.split(',').map((text) => whole('workers', text, 1));
  if (first === undefined) throw new Error('--workers: none given');
  const { road, faults } = values;
  if (road !== 'repartition' && road !== 'keyed') {
    throw new Error(`--road: repartition or keyed, not ${road}`);
  }
  if (faults !== 'all' && faults !== 'some') throw new Error(`--faults: all or some, not ${faults}`);
  return {
    runs: whole('runs', values.runs, 1),
    seed: whole('seed', values.seed, 0),
    events: whole('events', values.events, 1000),
    workers: [first, ...more],
    road,
    faults,
    rate: whole('rate', values.rate, 100),
    json: values.json,
    keep: values.keep,
  };
}

function whole(name: string, text: string, least: number): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < least) {
    throw new Error(`--${name}: a whole number of at least ${least}, not ${text}`);
  }
  return value;
}
