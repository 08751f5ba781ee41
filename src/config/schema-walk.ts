import { z } from 'zod';
import { secretText } from '../../schemas/secret.ts';
import { byteSize, duration } from '../../schemas/values.ts';

type Schema = z.core.$ZodType;

/** What an option holds, as far as reading and printing a configuration care. */
export type LeafKind = 'secret' | 'duration' | 'size' | 'number' | 'boolean' | 'other';

/** The schema under optional, default and prefault. */
export function unwrap(schema: Schema): Schema {
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault
  ) {
    return unwrap(schema.unwrap());
  }
  return schema;
}

/** The fields of a mapping by name; none where `schema` is no mapping of fixed fields. */
function shapeOf(schema: Schema): Record<string, Schema> {
  return schema instanceof z.ZodObject ? schema.shape : {};
}

/** The option of a discriminated union that `value` chooses; all of them where it chooses none. */
function optionsFor(union: z.ZodDiscriminatedUnion, value: unknown): readonly Schema[] {
  const { discriminator } = union.def;
  const chosen = union.options.filter((option) => {
    const tag = shapeOf(option)[discriminator];
    return tag !== undefined && z.safeParse(tag, fieldOf(value, discriminator)).success;
  });
  return chosen.length > 0 ? chosen : union.options;
}

/** `schema` without wrappers, and unions followed to the options that `value` chooses. */
export function resolve(schema: Schema, value: unknown): Schema[] {
  const inner = unwrap(schema);
  if (!(inner instanceof z.ZodDiscriminatedUnion)) return [inner];
  return optionsFor(inner, value).flatMap((option) => resolve(option, value));
}

/** The entry of a list or mapping, or undefined. */
export function fieldOf(value: unknown, key: PropertyKey): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<PropertyKey, unknown>)[key]
    : undefined;
}

/** The value at `path` below `value`, or undefined. */
export function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce(fieldOf, value);
}

function childOf(schema: Schema, key: PropertyKey): Schema | undefined {
  if (schema instanceof z.ZodArray) return schema.element;
  if (schema instanceof z.ZodRecord) return schema.valueType;
  const shape = shapeOf(schema);
  return Object.hasOwn(shape, key) ? shape[String(key)] : undefined;
}

/** The schemas that may hold at `path` below `schema`, given `value` (what the whole file says). */
export function schemasAt(schema: Schema, path: readonly PropertyKey[], value: unknown): Schema[] {
  const here = resolve(schema, value);
  const [key, ...rest] = path;
  if (key === undefined) return here;
  return here.flatMap((option) => {
    const child = childOf(option, key);
    return child === undefined ? [] : schemasAt(child, rest, fieldOf(value, key));
  });
}

/** The keys that a mapping of one of `schemas` may have. */
export function keysOf(schemas: readonly Schema[]): string[] {
  return [...new Set(schemas.flatMap((one) => Object.keys(shapeOf(one))))];
}

/** What kind of value `schema` (without wrappers) holds. A description makes a copy of a schema, but not of its end. */
export function leafKind(schema: Schema): LeafKind {
  if (schema instanceof z.ZodNumber) return 'number';
  if (schema instanceof z.ZodBoolean) return 'boolean';
  if (!(schema instanceof z.ZodPipe)) return 'other';
  if (schema.out === secretText.out) return 'secret';
  if (schema.out === duration.out) return 'duration';
  return schema.out === byteSize.out ? 'size' : 'other';
}
