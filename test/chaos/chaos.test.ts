import { afterAll, describe, expect, it } from 'vitest';
import { account, header, line } from './report.ts';
import { runOnce, type RunReport } from './run.ts';

/*
 * The short form of `npm run chaos`: three runs, one theme each (a worker killed; one frozen and the store killed;
 * Kafka killed and a worker stopped), while workers come and go.
 */

const reports: RunReport[] = [];
const ownServers = process.env['KAFKA_BROKERS'] === undefined;

// A broker that is not ours cannot be killed.
describe.runIf(ownServers)('nothing lost, nothing twice, whatever is killed', () => {
  afterAll(() => {
    process.stdout.write(`${[header(), ...reports.map(line)].join('\n')}\n`);
  });

  it.each([3, 1, 2])('seed %i', async (seed) => {
    const report = await runOnce(
      {
        ...{ seed, events: 4_000, workers: [1, 3, 2], road: 'repartition', faults: 'some' },
        ...{ rate: 600, keep: false },
      },
      () => undefined,
    );
    reports.push(report);
    expect(report.complaints, account(report)).toEqual([]);
  });
});
