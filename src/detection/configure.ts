import type { Mode } from '../../schemas/alert.ts';
import { mode as modeSchema } from '../../schemas/alert.ts';
import type { AnyDetector } from './contract.ts';

/** A detector with its options, as it runs. */
export interface ConfiguredDetector {
  definition: AnyDetector;
  /** Of the type its definition's `config` gives. */
  config: unknown;
  /** `shadow`: its findings never act. Absent: as policy says. */
  mode?: Mode | undefined;
}

/** What is wrong with an option, and where in the configuration, from `detectors` on. */
export interface ConfigureIssue {
  path: PropertyKey[];
  message: string;
}

/**
 * Reads the `detectors` section of the configuration: options by detector id, beside `enabled` and `mode`.
 * What it does not mention runs with its defaults. Every problem is reported, not the first one only.
 *
 * @param registry all detectors there are
 * @param input plain data
 */
export function configureDetectors(
  registry: readonly AnyDetector[],
  input: Record<string, unknown>,
): { configured: ConfiguredDetector[]; issues: ConfigureIssue[] } {
  const known = registry.map(({ id }) => id);
  const issues: ConfigureIssue[] = Object.keys(input)
    .filter((id) => !known.includes(id))
    .map((id) => ({ path: ['detectors', id], message: `no such detector; there are ${known.join(', ')}` }));
  const configured: ConfiguredDetector[] = [];
  for (const definition of registry) {
    const at = ['detectors', definition.id];
    const given = input[definition.id] ?? {};
    if (typeof given !== 'object' || Array.isArray(given)) {
      issues.push({ path: at, message: 'expected a mapping of options' });
      continue;
    }
    const { enabled, mode, ...options } = given as Record<string, unknown>;
    if (enabled !== undefined && typeof enabled !== 'boolean') {
      issues.push({ path: [...at, 'enabled'], message: 'expected true or false' });
    }
    const parsedMode = modeSchema.optional().safeParse(mode);
    if (!parsedMode.success) issues.push({ path: [...at, 'mode'], message: 'expected shadow or enforce' });
    const parsed = definition.config.safeParse(options);
    if (!parsed.success) {
      issues.push(...parsed.error.issues.map(({ path, message }) => ({ path: [...at, ...path], message })));
    } else if (enabled !== false) {
      configured.push({ definition, config: parsed.data, mode: parsedMode.data });
    }
  }
  return { configured, issues };
}
