import { z } from 'zod';
import { leafKind } from '../../src/config/schema-walk.ts';

/** The parts of JSON Schema that configuration schemas come to. */
export interface JsonSchema {
  type?: string | string[];
  description?: string;
  default?: unknown;
  const?: unknown;
  enum?: unknown[];
  pattern?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  items?: JsonSchema;
  oneOf?: JsonSchema[];
  anyOf?: JsonSchema[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  /** What a text holds, for the reference. */
  'x-kind'?: string;
}

/** What a file may say, as JSON Schema (draft 7, which editors know best). */
export function inputSchema(schema: z.core.$ZodType): JsonSchema {
  return z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-7',
    override: ({ zodSchema, jsonSchema }) => {
      const kind = leafKind(zodSchema);
      if (kind === 'secret' || kind === 'duration' || kind === 'size') jsonSchema['x-kind'] = kind;
    },
  }) as JsonSchema;
}

const EXPANSION = '\\$\\{';

/**
 * The schema that editors complete and check files with. A file holds expansions where the product sees what they
 * stand for: an option may be any text with `${` in it besides what the product takes.
 */
export function editorSchema(schema: JsonSchema): JsonSchema {
  const copy = { ...schema };
  delete copy['x-kind'];
  if (copy.properties) {
    const entries = Object.entries(copy.properties).map(([name, option]) => [name, editorSchema(option)]);
    copy.properties = Object.fromEntries(entries) as Record<string, JsonSchema>;
  }
  if (copy.items) copy.items = editorSchema(copy.items);
  if (copy.oneOf) copy.oneOf = copy.oneOf.map(editorSchema);
  if (copy.anyOf) copy.anyOf = copy.anyOf.map(editorSchema);
  if (copy.pattern !== undefined) copy.pattern = `${copy.pattern}|${EXPANSION}`;
  if (copy.type === 'number' || copy.type === 'integer' || copy.type === 'boolean') {
    return { ...copy, type: [copy.type, 'string'], pattern: EXPANSION };
  }
  if (copy.enum === undefined) return copy;
  copy.anyOf = [{ enum: copy.enum }, { type: 'string', pattern: EXPANSION }];
  delete copy.enum;
  delete copy.type;
  return copy;
}
