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
