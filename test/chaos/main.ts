import { readOptions, USAGE, type ChaosOptions } from './options.ts';
import { account, header, line, summary } from './report.ts';
import { runOnce, type RunReport } from './run.ts';

/** `npm run chaos`: see options.ts for what it takes, run.ts for what it does. */
async function main(options: ChaosOptions): Promise<number> {
  const print = (text: string) => void (options.json ? process.stderr : process.stdout).write(`${text}\n`);
  const reports: RunReport[] = [];
  print(header());
  for (let run = 0; run < options.runs; run += 1) {
    const seed = options.seed + run;
    const report = await runOnce({ ...options, seed }, (text) =>
      process.stderr.write(`  seed ${seed}, ${Math.round(process.uptime())} s: ${text}\n`),
    );
    reports.push(report);
    print(line(report));
    if (report.complaints.length > 0 || options.keep) print(account(report));
  }
  print(summary(reports));
  const passed = reports.every(({ complaints }) => complaints.length === 0);
  if (options.json) process.stdout.write(`${JSON.stringify({ passed, runs: reports }, null, 2)}\n`);
  return passed ? 0 : 1;
}

let options: ChaosOptions | null;
try {
  options = readOptions(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  process.exit(2);
}
if (options === null) process.stdout.write(USAGE);
else process.exitCode = await main(options);
