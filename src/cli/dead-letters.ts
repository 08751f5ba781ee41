import { Command, InvalidArgumentError } from 'commander';
import { open, rm } from 'node:fs/promises';
import { messageOf, RecallError } from '../errors.ts';
import { originalOf } from '../pipeline/redrive-original.ts';
import type { Store } from '../store/port.ts';
import type { Common, Filter } from './dead-letters-options.ts';
import { actor, configOf, filtered, say, sayJson, subcommand, withLetters } from './dead-letters-options.ts';
import { describeLetter, describeLetters, letterJson } from './dead-letters-print.ts';
import { redriveCommand } from './dead-letters-redrive.ts';
import { EXIT, withExit, type ExitCode } from './exit.ts';

const HELP = `
A record that is no event stops nothing: it is set aside with the reason, and its original bytes, sealed. Look at what
was refused, mend what was wrong with it (the format, the configuration, this program), and hand it over again.

Examples:
  $ token-recall dead-letters list --code ERR_DECODE_TIME --since 1d
  $ token-recall dead-letters show 5f0c…                          what, where, when, why
  $ token-recall dead-letters show 5f0c… --original record.bin    the original; it may hold tokens
  $ token-recall dead-letters redrive --dry-run                   which would be events now
  $ token-recall dead-letters redrive --code ERR_DECODE_TIME

Without --config it looks into the embedded ClickHouse under --data-dir, also while token-recall run is at work on it.
Next: token-recall sql 'SELECT * FROM dead_letters_by_reason'
`;

const LIST_HELP = `
Examples:
  $ token-recall dead-letters list
  $ token-recall dead-letters list --source http --since 2026-03-01T00:00:00Z --json | jq .dead_letters

Exit codes: 0 listed, also where there is none; 2 usage; 3 the store cannot be reached.
`;

const SHOW_HELP = `
Prints the excerpt with everything that could be a token masked. The original goes to a new file that only you can read,
never to the terminal: it may hold tokens. Opening one is written to the audit trail.

Examples:
  $ token-recall dead-letters show 5f0c…
  $ token-recall dead-letters show 5f0c… --original record.bin

Exit codes: 0 shown; 1 there is no such dead letter, or no original that could be opened; 2 usage;
3 the store cannot be reached.
`;

function limit(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 100_000) return value;
  throw new InvalidArgumentError('expected 1 to 100000');
}

/** `token-recall dead-letters`: what was refused, and handing it over again. */
export function deadLettersCommand(): Command {
  return new Command('dead-letters')
    .summary('look at refused records and hand them over again')
    .description('Lists the records that were no events, shows one, and hands them over again.')
    .addHelpText('after', HELP)
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(redriveCommand());
}

function listCommand(): Command {
  return filtered(subcommand('list', 'list refused records, latest first', LIST_HELP))
    .option('--limit <n>', 'most letters to list', limit, 50)
    .action(
      withExit(async (options: Common & Filter & { limit: number }) => {
        const { source, code, since: from, limit: most } = options;
        const found = await withLetters(await configOf(options), ({ letters }) =>
          letters.list({ source, code, since: from, limit: most }),
        );
        if (options.json === true) sayJson({ dead_letters: found.map(letterJson) });
        else say(describeLetters(found, most));
        return EXIT.done;
      }),
    );
}

function showCommand(): Command {
  return subcommand('show', 'show one refused record', SHOW_HELP)
    .argument('<id>', 'id of the dead letter')
    .option('--original <file>', 'write the original bytes to this new file, readable by you alone')
    .action(
      withExit(async (id: string, options: Common & { original?: string }) =>
        withLetters(await configOf(options), async (opened) => {
          const letter = await opened.letters.get(id);
          if (letter === null) return no(`there is no dead letter ${id}`);
          if (options.json === true) sayJson(letterJson(letter));
          else say(describeLetter(letter));
          if (options.original === undefined) return EXIT.done;
          const original = originalOf(letter, opened.custody);
          if ('missing' in original) return no(original.missing);
          await writeOriginal(options.original, original.bytes, opened.store, letter.dead_letter_id);
          return EXIT.done;
        }),
      ),
    );
}

/** Says why the answer is no. */
function no(why: string): ExitCode {
  process.stderr.write(`token-recall: ${why}\n`);
  return EXIT.no;
}

/** Writes the original to a new file, once it is on record who opened it. */
async function writeOriginal(
  path: string,
  bytes: Uint8Array,
  store: Pick<Store, 'write'>,
  id: string,
): Promise<void> {
  const file = await open(path, 'wx', 0o600).catch((error: unknown) => {
    const what = `--original takes a file that is not there yet: ${messageOf(error)}`;
    throw new RecallError('ERR_USAGE', what, { cause: error });
  });
  try {
    const entry = { at: Date.now(), actor: actor(), action: 'dead-letter.open', target: `dead letter ${id}` };
    await store.write({ audit: [{ ...entry, outcome: 'opened', detail: 'original written to a file' }] });
    await file.writeFile(bytes);
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  process.stderr.write(
    `${bytes.byteLength} bytes written to ${path}: it may hold tokens, remove it after use\n`,
  );
}
