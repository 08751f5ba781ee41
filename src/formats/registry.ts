import { RecallError } from '../errors.ts';
import { canonical } from './canonical.ts';
import type { Format } from './format.ts';

/** Every format there is. */
export const formats: readonly Format[] = [canonical];

const byName = new Map(formats.map((format) => [format.name, format]));

/**
 * The format of that name.
 *
 * @throws RecallError ERR_CONFIG_INVALID naming the known ones
 */
export function formatNamed(name: string): Format {
  const format = byName.get(name);
  if (format === undefined) {
    throw new RecallError(
      'ERR_CONFIG_INVALID',
      `unknown format ${JSON.stringify(name)}; known: ${[...byName.keys()].join(', ')}`,
    );
  }
  return format;
}
