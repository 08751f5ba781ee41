import type { DeadLetter } from '../../../schemas/dead-letter.ts';
import type { KafkaMessage, KafkaRecord } from './port.ts';

/**
 * A dead letter as a record of the dead letter topic. The value is the excerpt of the original record, in which
 * everything that could be a token is masked: no raw token may be in a dead letter, and whoever may read this
 * topic could use it. The original bytes are in the source topic, at the offset the headers name. The original
 * key is left out for the same reason; the key is the id of the dead letter.
 */
export function deadLetterMessage(letter: DeadLetter, original: KafkaRecord | undefined): KafkaMessage {
  const [topic = '', partition = '', offset = ''] = letter.position.split('/');
  return {
    key: letter.dead_letter_id,
    value: letter.excerpt,
    headers: {
      reason: letter.reason,
      code: letter.code,
      step: letter.step,
      original_topic: topic,
      original_partition: partition,
      original_offset: offset,
      original_size: String(letter.size),
      ...(original && { original_timestamp: original.timestamp }),
    },
  };
}

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
