/** One record of a partition. */
export interface KafkaRecord {
  readonly offset: string;
  /** Epoch milliseconds, as text. */
  readonly timestamp: string;
  /** Null for a tombstone. */
  readonly value: Uint8Array | null;
}

/** Records of one partition that were fetched together. */
export interface KafkaBatch {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly KafkaRecord[];
  /** False once the consumer stops or was sent elsewhere: nothing more of this batch is to be handed over. */
  isCurrent(): boolean;
  /** Tells the group that this member lives. Throws where the group rebalances or cannot be reached. */
  heartbeat(): Promise<void>;
  /** Commits that everything up to and including `offset` is durable. Throws where it cannot. */
  commit(offset: string): Promise<void>;
}

/** The partitions of each topic, by number. */
export type PartitionsByTopic = Readonly<Record<string, readonly number[]>>;

export interface ConsumeOptions {
  readonly groupId: string;
  /** Topics to read, and whether to begin with the oldest record where the group has no offset. */
  readonly topics: readonly { readonly topic: string; readonly fromBeginning: boolean }[];
  /** Whether number n of every topic must go to the same member. The topics must have equally many partitions. */
  readonly copartitioned: boolean;
  /** Called for one batch of a partition at a time; a batch whose offsets it does not commit comes again. */
  readonly onBatch: (batch: KafkaBatch) => Promise<void>;
  /** Called with this member's partitions whenever the group has shared them out, before any batch of them. */
  readonly onAssigned: (partitions: PartitionsByTopic) => void;
  /** Called whenever the group answered a heartbeat: every few seconds while all is well. */
  readonly onHeartbeat: () => void;
}

export interface KafkaClient {
  /**
   * The topics that the user may see, and how many partitions each has.
   *
   * @throws RecallError ERR_SOURCE_UNAVAILABLE naming the brokers
   */
  topics(): Promise<ReadonlyMap<string, number>>;
  /**
   * Consumes until `signal` aborts; offsets are committed only through {@link KafkaBatch.commit}. After `onBatch`
   * threw, no batch is current any more; what is under way is waited for before the group is left.
   *
   * @throws RecallError ERR_SOURCE_UNAVAILABLE naming the brokers where the cluster cannot be used any more, or
   *   co-partitioned topics have come to differ; and whatever `onBatch` threw
   */
  consume(options: ConsumeOptions, signal: AbortSignal): Promise<void>;
}

/** A message to produce. */
export interface KafkaMessage {
  readonly key?: string | Uint8Array | null;
  readonly value: string | Uint8Array;
  readonly headers?: Record<string, string>;
}

export interface KafkaProducer {
  /**
   * Resolves when all in-sync replicas have the messages.
   *
   * @throws RecallError ERR_SINK_UNAVAILABLE (try again), or ERR_SINK_REFUSED where the broker never will take them
   */
  send(topic: string, messages: readonly KafkaMessage[]): Promise<void>;
  close(): Promise<void>;
}
