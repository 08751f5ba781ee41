import type { KafkaMessage } from './port.ts';

/** Well below the 1 MiB that a broker takes in one batch by default; characters, of up to three bytes each. */
const BATCH_CHARACTERS = 200_000;

/** Cuts messages into lists that a broker takes in one batch each. */
export function sendable(messages: readonly KafkaMessage[]): KafkaMessage[][] {
  const batches: KafkaMessage[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const message of messages) {
    const length = message.value.length + (message.headers?.['reason']?.length ?? 0) + 500;
    if (size + length > BATCH_CHARACTERS) {
      batches.push([]);
      size = 0;
    }
    batches.at(-1)?.push(message);
    size += length;
  }
  return batches;
}
