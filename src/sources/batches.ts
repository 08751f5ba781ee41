import type { SourceBatch, SourceRecord } from './port.ts';

/** How much is handed over together at most. A batch is one round trip to durability, so not too little either. */
export const BATCH_RECORDS = 5_000;
export const BATCH_BYTES = 4 * 2 ** 20;

/** What all batches of one reader have in common. */
export type BatchHead = Omit<SourceBatch, 'records'>;

/** Gathers records into batches bounded by records and bytes. */
export interface Batcher {
  /** Takes records; returns the batches that are full. */
  add(records: readonly SourceRecord[]): SourceBatch[];
  /** What is left, as one batch or none. */
  rest(): SourceBatch[];
}

/** A batcher of the bounds above; a record larger than a batch goes alone. */
export function createBatcher(head: BatchHead): Batcher {
  let records: SourceRecord[] = [];
  let bytes = 0;

  function rest(): SourceBatch[] {
    if (records.length === 0) return [];
    const batch: SourceBatch = { ...head, records };
    records = [];
    bytes = 0;
    return [batch];
  }

  return {
    rest,
    add(more) {
      const full: SourceBatch[] = [];
      for (const record of more) {
        if (bytes + record.bytes.byteLength > BATCH_BYTES) full.push(...rest());
        records.push(record);
        bytes += record.bytes.byteLength;
        if (records.length >= BATCH_RECORDS) full.push(...rest());
      }
      return full;
    },
  };
}

/** Cuts a list of records into batches of the bounds above. */
export function batchesOf(head: BatchHead, records: readonly SourceRecord[]): SourceBatch[] {
  const batcher = createBatcher(head);
  return [...batcher.add(records), ...batcher.rest()];
}
