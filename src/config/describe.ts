import type { z } from 'zod';
import { stringify } from 'yaml';
import { config as configSchema } from '../../schemas/config.ts';
import type { LoadedConfig } from './load.ts';
import { maskUserInfo } from './problem.ts';
import { detectorOptions } from './root.ts';
import { leafKind, resolve, schemasAt } from './schema-walk.ts';

const DURATIONS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const;
const SIZES = [
  ['GiB', 2 ** 30],
  ['MiB', 2 ** 20],
  ['KiB', 2 ** 10],
] as const;

/** `value` in the largest unit that needs no fraction: 90000 ms is `90s`, 1048576 bytes are `1MiB`. */
function inUnits(value: number, units: readonly (readonly [string, number])[], smallest: string): string {
  const fitting = value === 0 ? undefined : units.find(([, size]) => value % size === 0);
  return fitting === undefined ? `${value}${smallest}` : `${value / fitting[1]}${fitting[0]}`;
}

/** A parsed value as a configuration file would say it: durations and sizes in units, secrets redacted. */
function asWritten(value: unknown, schema: z.core.$ZodType): unknown {
  const [here = schema] = resolve(schema, value);
  switch (leafKind(here)) {
    case 'secret':
      return value === undefined ? undefined : '[redacted]';
    case 'duration':
      return typeof value === 'number' ? inUnits(value, DURATIONS, 'ms') : value;
    case 'size':
      return typeof value === 'number' ? inUnits(value, SIZES, 'B') : value;
    case 'number':
    case 'boolean':
    case 'other':
      break;
  }
  if (typeof value === 'string') return maskUserInfo(value);
  if (typeof value !== 'object' || value === null) return value;
  const child = (entry: unknown, key: PropertyKey) => {
    const [type] = schemasAt(here, [key], value);
    return type === undefined ? entry : asWritten(entry, type);
  };
  if (Array.isArray(value)) return value.map(child);
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, child(entry, key)]));
}

/**
 * The effective configuration as plain data: every option with the value that counts, in the form of the file,
 * secrets as `[redacted]`. Detectors that are off say only that.
 */
export function effectiveConfig({ config, detectors }: LoadedConfig): Record<string, unknown> {
  const on = detectors.map(({ definition, config: own, mode }) => {
    const options = asWritten(own, detectorOptions(definition));
    return [definition.id, { enabled: true, ...(mode && { mode }), ...(options as object) }] as const;
  });
  const off = Object.keys(config.detectors)
    .filter((id) => !detectors.some(({ definition }) => definition.id === id))
    .map((id) => [id, { enabled: false }] as const);
  return {
    ...(asWritten(config, configSchema) as Record<string, unknown>),
    detectors: Object.fromEntries([...on, ...off]),
  };
}

/** The effective configuration as YAML; see {@link effectiveConfig}. */
export function describeConfig(loaded: LoadedConfig): string {
  return stringify(effectiveConfig(loaded), { lineWidth: 110 });
}
