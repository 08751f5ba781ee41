import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import kafkajs from 'kafkajs';
import { quietClient } from '../support/kafka-operations.ts';
import { until } from '../support/processes.ts';
import type { Complaints } from './check-events.ts';
import type { StoreProcess } from './store.ts';
import { createTokenSearch } from './token-scanner.ts';

export interface SecretsOptions {
  tokens: ReadonlySet<string>;
  store: StoreProcess;
  brokers: string[];
  /** Topics that hold tokens by nature: what gateways wrote. */
  inputs: readonly string[];
  /** Folders of the workers, with configuration, data and logs. */
  folder: string;
}

/** Bytes that were searched, for the report. */
export interface Searched {
  complaints: Complaints;
  bytes: number;
}

/**
 * Looks for every raw token in all that is on a disk: files of ClickHouse, of the workers and of Kafka, byte by byte.
 * What is compressed there is read through the servers as well: all tables, and all topics but the inputs. Stops the
 * store.
 */
export async function checkSecrets(options: SecretsOptions): Promise<Searched> {
  const { tokens, store, brokers, inputs, folder } = options;
  const search = createTokenSearch(tokens);
  const complaints: Complaints = [];
  let bytes = 0;

  async function scan(what: string, pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    const scanner = search();
    const found = new Set<string>();
    for await (const piece of pieces) {
      bytes += piece.byteLength;
      for (const token of scanner.scan(piece)) found.add(token);
    }
    if (found.size > 0) complaints.push(`${what}: ${found.size} raw tokens`);
  }

  const tables = await store.client.query<{ name: string }>(
    `SELECT concat(database, '.', name) AS name FROM system.tables
     WHERE engine LIKE '%MergeTree%' AND database NOT IN ('INFORMATION_SCHEMA', 'information_schema')`,
  );
  for (const { name } of tables) {
    await scan(`table ${name}`, await store.client.stream(`SELECT * FROM ${name}`, 'TSVRaw'));
  }
  for (const topic of await topicsOf(brokers)) {
    if (!inputs.includes(topic)) await scan(`topic ${topic}`, await recordsOf(brokers, topic));
  }
  // Or merges would take files away while they are read.
  await store.stop();
  const isInput = (path: string) => inputs.some((topic) => new RegExp(`/${topic}-\\d+/`).test(path));
  // Kafka allocates 20 MB for the index of a partition, in which there are offsets and times only.
  const isIndex = (path: string) => /\.(?:time)?index$/.test(path);
  for (const root of [store.dataDir, folder, ...(await kafkaFolders(brokers))]) {
    for (const path of await filesUnder(root)) {
      if (!isInput(path) && !isIndex(path))
        await scan(path, createReadStream(path, { highWaterMark: 1 << 20 }));
    }
  }
  return { complaints, bytes };
}

async function filesUnder(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

async function withAdmin<T>(brokers: string[], work: (admin: kafkajs.Admin) => Promise<T>): Promise<T> {
  const admin = quietClient(brokers).admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

const topicsOf = (brokers: string[]) => withAdmin(brokers, (admin) => admin.listTopics());

/** Folders in which the broker keeps its data. */
export async function kafkaFolders(brokers: string[]): Promise<string[]> {
  const { resources } = await withAdmin(brokers, (admin) =>
    admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: kafkajs.ConfigResourceTypes.BROKER, name: '1', configNames: ['log.dirs'] }],
    }),
  );
  const folders = resources[0]?.configEntries[0]?.configValue.split(',') ?? [];
  if (folders.length === 0) throw new Error('Kafka does not say where its data lie');
  return folders;
}

/** Keys, values and headers of all records of a topic. */
async function recordsOf(brokers: string[], topic: string): Promise<Uint8Array[]> {
  const offsets = await withAdmin(brokers, (admin) => admin.fetchTopicOffsets(topic));
  const ends = new Map(
    offsets.filter(({ low, high }) => low !== high).map(({ partition, high }) => [partition, high]),
  );
  const pieces: Uint8Array[] = [];
  if (ends.size === 0) return pieces;
  const consumer = quietClient(brokers).consumer({ groupId: `chaos-scan-${topic}`, maxWaitTimeInMs: 200 });
  await consumer.connect();
  try {
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      eachBatch: ({ batch }) => {
        for (const { key, value, headers } of batch.messages) {
          pieces.push(
            Buffer.from(`${key?.toString() ?? ''} ${value?.toString() ?? ''} ${JSON.stringify(headers)}\n`),
          );
        }
        // Behind the last record there may be markers of a transaction.
        if (BigInt(batch.lastOffset()) + 1n >= BigInt(ends.get(batch.partition) ?? '0'))
          ends.delete(batch.partition);
        return Promise.resolve();
      },
    });
    await until(
      () => Promise.resolve(ends.size === 0),
      60_000,
      () =>
        Promise.resolve(`partitions ${[...ends.keys()].join(', ')} of ${topic} cannot be read to their end`),
    );
  } finally {
    await consumer.disconnect();
  }
  return pieces;
}
