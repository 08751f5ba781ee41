import { readFile } from 'node:fs/promises';
import { detectors as registry } from '../../detectors/registry.ts';
import { config as configSchema, type Config } from '../../schemas/config.ts';
import { configureDetectors, type ConfiguredDetector } from '../detection/configure.ts';
import { messageOf, RecallError } from '../errors.ts';
import { crossChecks, exposure } from './checks.ts';
import { readDocument, type ConfigDocument } from './document.ts';
import { problemsOf } from './issues.ts';
import { formatPath, formatProblem, type LocatedProblem, type Problem } from './problem.ts';
import { fileSchema } from './root.ts';
import { leafKind, schemasAt } from './schema-walk.ts';

export interface LoadedConfig {
  config: Config;
  detectors: ConfiguredDetector[];
  /** The file it came from; undefined where there was none. */
  path: string | undefined;
}

/** A configuration, or everything that is wrong with it in the order of the file. */
export type ConfigReading =
  | { ok: true; loaded: LoadedConfig }
  | { ok: false; code: 'ERR_CONFIG_INVALID' | 'ERR_CONFIG_EXPOSED'; problems: LocatedProblem[] };

const schema = fileSchema(registry);

/** Validates plain data: the problems of all its options at once, one for each, or what it means. */
function validate(input: unknown): { config: Config; detectors: ConfiguredDetector[] } | Problem[] {
  const whole = schema.safeParse(input);
  const problems = [
    ...(whole.success ? [] : whole.error.issues.flatMap((issue) => problemsOf(issue, schema, input))),
    ...crossChecks(input),
  ];
  if (problems.length > 0) return problems;
  const config = configSchema.parse(input);
  const { configured, issues } = configureDetectors(registry, config.detectors);
  if (issues.length === 0) return { config, detectors: configured };
  return issues.map(({ path, message }) => ({ path, at: 'value', problem: message }));
}

/** The first problem of each place: what follows from it is not worth a line. */
function firstOfEach(problems: readonly Problem[]): Problem[] {
  const byPath = new Map<string, Problem>();
  for (const problem of problems) {
    const path = formatPath(problem.path);
    if (!byPath.has(path)) byPath.set(path, problem);
  }
  return [...byPath.values()];
}

/**
 * Reads a configuration file: YAML, expansions, validation, the rules between options.
 *
 * @param path the file; undefined stands for an empty one: everything by default
 * @param env where `${NAME}` looks
 * @throws RecallError ERR_CONFIG_READ where the file cannot be read
 */
export async function readConfig(path: string | undefined, env: NodeJS.ProcessEnv): Promise<ConfigReading> {
  const text = path === undefined ? '' : await readText(path);
  const document = readDocument(text, env, (at, value) => {
    const [kind = 'other'] = schemasAt(schema, at, value).map(leafKind);
    return kind === 'number' || kind === 'boolean' ? kind : 'other';
  });
  if (document.syntax.length > 0) {
    const problems = document.syntax.map((one) => ({ file: path, path: formatPath([]), ...one }));
    return { ok: false, code: 'ERR_CONFIG_INVALID', problems };
  }
  const result = validate(document.value);
  const exposed = exposure(document.value);
  const invalid = [...document.problems, ...(Array.isArray(result) ? result : [])];
  const problems = firstOfEach(exposed === undefined ? invalid : [...invalid, exposed]);
  if (problems.length > 0 || Array.isArray(result)) {
    const code = invalid.length === 0 ? 'ERR_CONFIG_EXPOSED' : 'ERR_CONFIG_INVALID';
    return { ok: false, code, problems: locate(problems, document, path) };
  }
  return { ok: true, loaded: { ...result, path } };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const message = `Cannot read the configuration file ${path}: ${messageOf(error)}`;
    throw new RecallError('ERR_CONFIG_READ', message, { cause: error });
  }
}

function locate(
  problems: readonly Problem[],
  document: ConfigDocument,
  file: string | undefined,
): LocatedProblem[] {
  return problems
    .map((problem) => {
      const expansions = problem.at === 'value' ? document.expansionsAt(problem.path) : [];
      return {
        file,
        ...document.positionOf(problem.path, problem.at),
        path: formatPath(problem.path),
        problem: problem.problem,
        // The value came from outside the file and may be a secret that slipped into the wrong option.
        got: expansions.length === 0 ? problem.got : `the value of ${expansions.join(' and ')}`,
        expected: problem.expected,
      };
    })
    .sort((a, b) => a.line - b.line || a.column - b.column);
}

/**
 * Reads a configuration file, as {@link readConfig} does.
 *
 * @throws RecallError ERR_CONFIG_READ; ERR_CONFIG_INVALID or, where nothing else is wrong, ERR_CONFIG_EXPOSED with
 *   all problems in the message, a line each: `file:line:column path: problem (got X, expected Y)`
 */
export async function loadConfig(path: string | undefined, env: NodeJS.ProcessEnv): Promise<LoadedConfig> {
  const reading = await readConfig(path, env);
  if (reading.ok) return reading.loaded;
  throw new RecallError(reading.code, reading.problems.map(formatProblem).join('\n'));
}

/**
 * Validates a configuration given as plain data, without expansions. For programs and tests.
 *
 * @throws RecallError ERR_CONFIG_INVALID with all problems in the message, a line each
 */
export function parseConfig(input: unknown): LoadedConfig {
  const result = validate(input);
  if (!Array.isArray(result)) return { ...result, path: undefined };
  const lines = firstOfEach(result).map((one) => formatProblem({ ...one, path: formatPath(one.path) }));
  throw new RecallError('ERR_CONFIG_INVALID', lines.join('\n'));
}
