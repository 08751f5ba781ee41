import { Command, InvalidArgumentError, Option } from 'commander';
import { userInfo } from 'node:os';
import type { Config } from '../../schemas/config.ts';
import { duration, instant } from '../../schemas/values.ts';
import { loadConfig } from '../config/load.ts';
import { loadOrCreateKey } from '../response/custody-key.ts';
import { createCustody, type Custody } from '../response/custody.ts';
import { createDeadLetterReads, type DeadLetterReads } from '../store/dead-letters.ts';
import type { Store } from '../store/port.ts';
import { attachStore } from './attached-store.ts';

/** Options of every command below `dead-letters`. */
export interface Common {
  config?: string;
  dataDir: string;
  json?: boolean;
}

/** Options of those that take a filter; `since` in epoch milliseconds. */
export interface Filter {
  source?: string;
  code?: string;
  since?: number;
}

/** A point in time: RFC 3339, or how long ago. */
function since(text: string): number {
  const ago = duration.safeParse(text);
  if (ago.success) return Date.now() - ago.data;
  const at = instant.safeParse(text);
  if (at.success) return at.data;
  throw new InvalidArgumentError('expected RFC 3339, or how long ago, such as 30m or 7d');
}

/** A command below `dead-letters` with the options they all have. */
export function subcommand(name: string, summary: string, help: string): Command {
  return new Command(name)
    .summary(summary)
    .description(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`)
    .option('--data-dir <dir>', 'data directory of token-recall run', './data')
    .addOption(new Option('-c, --config <file>', 'configuration of the worker').conflicts('dataDir'))
    .option('--json', 'print one JSON object')
    .addHelpText('after', help);
}

/** Adds the options of a filter. */
export const filtered = (command: Command) =>
  command
    .option('--source <name>', 'only of this source, such as kafka:gateway-access')
    .option('--code <code>', 'only with this error code, such as ERR_DECODE_TIME')
    .option('--since <time>', 'only what arrived since: RFC 3339, or how long ago (30m, 7d)', since);

/** What the commands work on. */
interface Opened {
  config: Config;
  store: Pick<Store, 'query' | 'write'>;
  letters: DeadLetterReads;
  custody: Custody;
}

/** The configuration that the options name. */
export const configOf = async ({ config: path, dataDir }: Common): Promise<Config> => {
  const { config } = await loadConfig(path, process.env);
  return path === undefined ? { ...config, data_dir: dataDir } : config;
};

/** Does `work` on the store and custody of the configuration. */
export async function withLetters<T>(config: Config, work: (opened: Opened) => Promise<T>): Promise<T> {
  const store = await attachStore(config);
  try {
    const embedded = config.store.url === undefined;
    const key = config.custody.key ?? (embedded ? await loadOrCreateKey(config.data_dir) : undefined);
    const custody = createCustody({
      key,
      defaultTtl: config.custody.default_ttl,
      find: () => Promise.resolve(null),
    });
    return await work({ config, store, letters: createDeadLetterReads(store), custody });
  } finally {
    await store.close();
  }
}

/** Prints a line, or lines. */
export const say = (text: string) => void process.stdout.write(`${text}\n`);
export const sayJson = (value: unknown) => say(JSON.stringify(value, null, 2));
/** Who the audit trail says it was. */
export const actor = () => `cli:${userInfo().username}`;
