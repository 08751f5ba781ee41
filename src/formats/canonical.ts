import { RecallError } from '../errors.ts';
import type { Format, Line } from './format.ts';

function isLine(value: unknown): value is Line {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Why a text did not parse, without any of it: V8 quotes the input in its messages, so only the position is taken. */
function jsonProblem(text: string, error: unknown): string {
  const position = error instanceof Error ? /at position (\d+)/.exec(error.message)?.[1] : undefined;
  const where = position === undefined ? '' : ` at character ${position}`;
  return `not valid JSON${where} (${text.length} characters)`;
}

/** The product's own format: one JSON object a record, its fields named as in schemas/access-event.ts and authorization-event.ts. */
export const canonical: Format = {
  name: 'canonical',
  read(text) {
    if (text.trim() === '') {
      throw new RecallError(
        'ERR_DECODE_JSON',
        'empty record (in Kafka: a tombstone, a record without value)',
      );
    }
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw new RecallError('ERR_DECODE_JSON', jsonProblem(text, error));
    }
    if (!isLine(value)) {
      const got = value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`;
      throw new RecallError('ERR_DECODE_JSON', `expected a JSON object, got ${got}`);
    }
    return value;
  },
};
