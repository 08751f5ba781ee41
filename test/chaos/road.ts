import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { KafkaBroker } from '../support/kafka.ts';
import type { AuthorizationServerProcess } from './authorization-server.ts';
import { PARTITIONS } from './feed.ts';
import type { Road } from './options.ts';
import { namesOf, workerConfig, type Names, type newSecrets } from './settings.ts';
import { startStore, type StoreProcess } from './store.ts';
import { createFleet, type Fleet } from './workers.ts';

/** Called at the end of a run, last opened first; `failed` says that logs and data are to be kept. */
export type Closer = (failed: boolean) => Promise<void>;

/** What the disturbed and the undisturbed way through share. */
export interface Parts {
  folder: string;
  kafka: KafkaBroker;
  authorizationServer: AuthorizationServerProcess;
  secrets: ReturnType<typeof newSecrets>;
}

/** One way through: topics and a store of its own, and workers yet to be started. */
export interface OpenRoad {
  fleet: Fleet;
  store: StoreProcess;
  names: Names;
  /** Of the workers. */
  folder: string;
}

/** Opens a way through for a stream. */
export async function openRoad(name: string, road: Road, parts: Parts, closers: Closer[]): Promise<OpenRoad> {
  const { kafka, authorizationServer, secrets } = parts;
  const names = namesOf(name, road);
  const topics = [names.access, names.authorization, `${names.access}.dlq`, `${names.authorization}.dlq`];
  for (const topic of road === 'repartition' ? [...topics, names.repartition] : topics) {
    await kafka.createTopic(topic, PARTITIONS);
  }
  const folder = join(parts.folder, name);
  await mkdir(folder, { recursive: true });
  const store = await startStore(join(parts.folder, `${name}-store`));
  closers.push(() => store.stop());
  const fleet = createFleet(folder, (dataDir) =>
    workerConfig({
      ...{ road, names, dataDir, ...secrets },
      brokers: kafka.brokers,
      store: store.account,
      issuer: authorizationServer.issuer,
    }),
  );
  closers.push(() => fleet.end());
  return { fleet, store, names, folder };
}
