import { Command } from 'commander';
import type { Config } from '../../schemas/config.ts';
import { describeConfig, effectiveConfig } from '../config/describe.ts';
import { readConfig } from '../config/load.ts';
import { formatProblem, type LocatedProblem } from '../config/problem.ts';
import type { ConfiguredDetector } from '../detection/configure.ts';
import { isRecallError } from '../errors.ts';
import { checkPartitioning } from '../sources/partitioning.ts';
import { EXIT, withExit } from './exit.ts';

const HELP = `
Prints every problem of the file at once, one a line:

  token-recall.yaml:12:9 policy.mode: not one of the choices, did you mean enforce? (got "enforc", expected …)

or, where there is none, the effective configuration: defaults filled in, expansions made, secrets redacted.
Connects to nothing and changes nothing.

Examples:
  $ token-recall check --config token-recall.yaml
  $ token-recall check --config token-recall.yaml --json | jq .config.policy

Exit codes: 0 valid; 1 not valid, or the file cannot be read; 2 usage.
Next: docs/configuration.md describes every option; docs/config.schema.json completes them in an editor.
`;

/** `token-recall check`: validates a configuration. */
export function checkCommand(): Command {
  return new Command('check')
    .summary('validate a configuration and print what it amounts to')
    .description('Validates a configuration and prints what it amounts to.')
    .requiredOption('-c, --config <file>', 'configuration to validate')
    .option('--json', 'print one JSON object: valid, problems, config')
    .addHelpText('after', HELP)
    .action(
      withExit(async ({ config: path, json = false }: { config: string; json?: boolean }) => {
        const reading = await readConfig(path, process.env);
        if (!reading.ok) {
          if (json) printJson({ valid: false, problems: reading.problems });
          else printProblems(path, reading.problems);
          return EXIT.no;
        }
        const { config, detectors } = reading.loaded;
        const apart = partitioningProblems(config, detectors);
        if (apart.length > 0) {
          if (json) printJson({ valid: false, problems: apart.map((problem) => ({ problem })) });
          else process.stderr.write(`${apart.join('\n')}\ntoken-recall: ${path} is not valid\n`);
          return EXIT.no;
        }
        if (json) printJson({ valid: true, problems: [], config: effectiveConfig(reading.loaded) });
        else process.stdout.write(describeConfig(reading.loaded));
        return EXIT.done;
      }),
    );
}

/** It looks at detectors and sources together, so no single line is at fault. */
function partitioningProblems(config: Config, detectors: readonly ConfiguredDetector[]): string[] {
  try {
    checkPartitioning(
      detectors.map(({ definition: { id, scope } }) => ({ id, scope })),
      config,
    );
    return [];
  } catch (error) {
    if (isRecallError(error, 'ERR_PARTITIONING')) return error.message.split('\n');
    throw error;
  }
}

function printProblems(path: string, problems: readonly LocatedProblem[]): void {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  const lines = problems.map(formatProblem);
  process.stderr.write(`${lines.join('\n')}\ntoken-recall: ${path} is not valid: ${count}\n`);
}

const printJson = (value: unknown) => process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
