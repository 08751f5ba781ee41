import type { JsonSchema } from './json-schema.ts';

/** Options that belong in one table. */
export interface OptionTable {
  /** Of which variant of which option; undefined for the option itself. */
  title: string | undefined;
  rows: OptionRow[];
}

export interface OptionRow {
  path: string;
  type: string;
  default: string;
  description: string;
}

/** The tables of one option: its own, then one for each variant of it or of what is below. */
export function optionTables(option: JsonSchema, path: string): OptionTable[] {
  const tables: OptionTable[] = [{ title: undefined, rows: [] }];
  const described = new Map<string, string>();
  walk(option, path, tables[0]!.rows);
  return tables.filter(({ rows, title }) => rows.length > 0 || title !== undefined);

  function walk(schema: JsonSchema, at: string, rows: OptionRow[]): void {
    if (schema.items) walk(schema.items, `${at}[]`, rows);
    for (const variant of variantsOf(schema) ?? []) {
      const table: OptionTable = { title: `\`${at}\` with ${tagOf(variant)}`, rows: [] };
      tables.push(table);
      walk(variant, at, table.rows);
    }
    const required = new Set(schema.required);
    for (const [name, child] of Object.entries(schema.properties ?? {})) {
      if (child.const !== undefined) continue;
      const here = `${at}.${name}`;
      const variants = variantsOf(child.items ?? child);
      const shape = variants && JSON.stringify(variants);
      const sameAs = shape && described.get(shape);
      rows.push(rowOf(child, here, required.has(name), sameAs));
      if (sameAs !== undefined) continue;
      if (shape !== undefined) described.set(shape, here);
      walk(child, here, rows);
    }
  }
}

const variantsOf = (schema: JsonSchema) => schema.oneOf ?? schema.anyOf;

/** `kind: kafka`: the option whose fixed value or choice tells a variant from the others. */
function tagOf({ properties = {} }: JsonSchema): string {
  const entries = Object.entries(properties);
  const [name, tag] = entries.find(([, { const: fixed }]) => fixed !== undefined) ?? entries[0]!;
  const values = tag.const === undefined ? (tag.enum ?? []) : [tag.const];
  return values.map((value) => `\`${name}: ${String(value)}\``).join(' or ');
}

/** One row of a table. */
export function rowOf(option: JsonSchema, path: string, required = false, sameAs?: string): OptionRow {
  const { default: value, description = '', properties } = option;
  const like = sameAs === undefined ? '' : `; options as \`${sameAs}\``;
  return {
    path: `\`${path}\``,
    type: typeOf(option),
    default: required && value === undefined ? 'required' : shownDefault(properties ? undefined : value),
    description: `${description}${like}`,
  };
}

/** A default as the file would say it; the default of a mapping is that of its options. */
const shownDefault = (value: unknown) => (value === undefined ? '' : `\`${JSON.stringify(value)}\``);

function typeOf(option: JsonSchema): string {
  if (option['x-kind'] !== undefined) return option['x-kind'];
  if (option.enum) return option.enum.map((choice) => `\`${String(choice)}\``).join(', ');
  if (option.items) return listOf(option.items);
  if (variantsOf(option) ?? option.properties) return 'mapping';
  if (option.type === 'string') return 'text';
  if (option.type === 'boolean') return '`true`, `false`';
  return [option.type === 'integer' ? 'whole number' : String(option.type), rangeOf(option)].join('');
}

function listOf(items: JsonSchema): string {
  if (variantsOf(items) ?? items.properties) return 'list of mappings';
  return items.type === 'string' && !items.enum ? 'list of texts' : `list, each ${typeOf(items)}`;
}

function rangeOf({ minimum, exclusiveMinimum, maximum }: JsonSchema): string {
  // Whole numbers are bounded by what a number can hold exactly, which nobody needs to read.
  const low = minimum === Number.MIN_SAFE_INTEGER ? undefined : minimum;
  const high = maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum;
  if (exclusiveMinimum !== undefined)
    return ` above ${exclusiveMinimum}${high === undefined ? '' : `, to ${high}`}`;
  if (low !== undefined && high !== undefined) return `, ${low} to ${high}`;
  if (low !== undefined) return `, from ${low}`;
  return high === undefined ? '' : `, to ${high}`;
}
