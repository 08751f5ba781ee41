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

export interface ConsumeOptions {
  readonly topics: readonly string[];
  readonly groupId: string;
  readonly fromBeginning: boolean;
  /** Called for one batch of a partition at a time; a batch whose offsets it does not commit comes again. */
  readonly onBatch: (batch: KafkaBatch) => Promise<void>;
  /** Called with the number of partitions whenever the group has shared them out. */
  readonly onAssigned: (partitions: number) => void;
  /** Called whenever the group answered a heartbeat: every few seconds while all is well. */
  readonly onHeartbeat: () => void;
}

export interface KafkaClient {
  /**
   * Names of the topics that the user may see.
   *
   * @throws RecallError ERR_SOURCE_UNAVAILABLE naming the brokers
   */
  topics(): Promise<string[]>;
  /**
   * Consumes until `signal` aborts; offsets are committed only through {@link KafkaBatch.commit}.
   *
   * @throws RecallError ERR_SOURCE_UNAVAILABLE naming the brokers where the cluster cannot be used any more,
   *   and whatever `onBatch` threw
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
