import type { BatchOutcome, Stream } from '../sources/port.ts';
import type { StoredDeadLetter } from '../store/dead-letters.ts';

/**
 * Hands records to a worker, as HTTP push does; resolves when they are durable.
 *
 * @throws RecallError ERR_SOURCE_UNAVAILABLE where the worker does not take them now
 */
export type Push = (
  body: Uint8Array,
  contentType: string,
  stream: Stream,
  format: string,
) => Promise<Pick<BatchOutcome, 'deadLetters'>>;

/** Bytes in one push, far below what `api.max_body` allows. */
const MOST_BYTES = 2 ** 20;
const NEWLINE = 0x0a;

/** A letter whose original is an event now. */
export interface Recovered {
  letter: StoredDeadLetter;
  bytes: Uint8Array;
  format: string;
}

/** Cuts letters into bodies of one push each: lines of one stream and format, or one record that has lines itself. */
export function bodiesOf(recovered: readonly Recovered[]): Recovered[][] {
  const bodies: Recovered[][] = [];
  const open = new Map<string, { body: Recovered[]; bytes: number }>();
  for (const one of recovered) {
    const size = one.bytes.byteLength;
    if (one.bytes.includes(NEWLINE)) {
      bodies.push([one]);
      continue;
    }
    const key = `${one.letter.stream} ${one.format}`;
    let group = open.get(key);
    if (group === undefined || group.bytes + size > MOST_BYTES) {
      group = { body: [], bytes: 0 };
      open.set(key, group);
      bodies.push(group.body);
    }
    group.body.push(one);
    group.bytes += size;
  }
  return bodies;
}

/**
 * Hands one body over, and where some of its records are refused, its halves: to find out which. What is handed over
 * twice so is stored once.
 */
export async function handOver(
  push: Push,
  body: readonly Recovered[],
  done: (letter: StoredDeadLetter, outcome: 'accepted' | 'refused') => void,
): Promise<void> {
  const [first] = body;
  if (first === undefined) return;
  const newline = Uint8Array.of(NEWLINE);
  const text = Buffer.concat(body.flatMap(({ bytes }, index) => (index === 0 ? [bytes] : [newline, bytes])));
  const type = first.bytes.includes(NEWLINE) ? 'application/json' : 'application/x-ndjson';
  const { deadLetters } = await push(text, type, first.letter.stream, first.format);
  if (deadLetters === 0 || body.length === 1) {
    for (const { letter } of body) done(letter, deadLetters === 0 ? 'accepted' : 'refused');
    return;
  }
  const middle = Math.ceil(body.length / 2);
  await handOver(push, body.slice(0, middle), done);
  await handOver(push, body.slice(middle), done);
}
