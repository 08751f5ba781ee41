import type { Adoption, StreamEvent } from './contract.ts';
import { createDistinct, hash32, type Distinct, type EncodedDistinct } from './distinct.ts';
import { featuresOf } from './features.ts';
import { clientKey, isMachine, subjectKey } from './keys.ts';
import type { StateRow } from './keyed-state.ts';
import { createLru } from './lru.ts';

const CLIENTS = 10_000;
const FEATURES_PER_CLIENT = 4_096;
/** Space of the population in checkpoints. */
export const POPULATION = 'population';
const VERSION = 1;
/** How long a count is needed after the last change, ms: what nobody took to for so long is news again. */
const TTL = 400 * 86_400_000;

interface Client {
  subjects: Distinct;
  features: Map<string, Distinct>;
}

/** What the subjects of each client use. */
export interface Population {
  /** Counts an access event that the gateway accepted; others, and machines, which have no peers, are not counted. */
  observe(event: StreamEvent): void;
  /** How many subjects of `client` (a `clientKey`) had used `feature` by event time `at`. */
  adoption(client: string, feature: string, at: number): Adoption;
  /** Takes in what a checkpoint held. */
  load(rows: readonly StateRow[]): void;
  /** What changed since the last {@link Population.settle}, as rows of a checkpoint. */
  changed(): StateRow[];
  /** Says that all changes are durable. */
  settle(): void;
}

/** A count is found by client and feature; the feature of all subjects of the client is empty. */
const keyOf = (client: string, feature: string) => JSON.stringify([client, feature]);

/**
 * Counts adoption by client and feature in bounded memory: the client longest unused is forgotten first, and within a
 * client the feature that has won no new subject for longest, so that what everybody uses stays.
 */
export function createPopulation(limits = { clients: CLIENTS, features: FEATURES_PER_CLIENT }): Population {
  const clients = createLru<Client>();
  /** Counts that changed, by key, with the event time of the change. */
  const changed = new Map<string, { count: Distinct; time: number }>();

  function clientOf(key: string): Client {
    const known = clients.get(0, key);
    if (known !== undefined) return known;
    const client: Client = { subjects: createDistinct(), features: new Map() };
    clients.add(0, key, client);
    if (clients.size > limits.clients) clients.dropOldest();
    return client;
  }

  function dropStillest({ features }: Client): void {
    for (const longestStill of features.keys()) {
      features.delete(longestStill);
      return;
    }
  }

  /** Counts the subject for the feature; returns the count where that changed it. */
  function count(
    client: Client,
    feature: string,
    subject: { key: string; hash: number },
    time: number,
  ): Distinct | undefined {
    const { features } = client;
    const known = features.get(feature);
    const usage = known ?? createDistinct();
    const isNew = usage.add(subject.key, subject.hash, time);
    if (known === undefined) {
      features.set(feature, usage);
      if (features.size > limits.features) dropStillest(client);
    } else if (isNew && features.size * 2 > limits.features) {
      features.delete(feature);
      features.set(feature, usage);
    }
    return isNew ? usage : undefined;
  }

  function note(key: string, count: Distinct, time: number): void {
    changed.set(key, { count, time: Math.max(time, changed.get(key)?.time ?? 0) });
  }

  return {
    observe(event) {
      if (event.kind !== 'access' || isMachine(event)) return;
      if (event.status !== undefined && event.status >= 400) return;
      const clientId = clientKey(event);
      const key = subjectKey(event);
      if (clientId === null || key === null) return;
      const subject = { key, hash: hash32(key) };
      const client = clientOf(clientId);
      const { time } = event;
      if (client.subjects.add(key, subject.hash, time)) note(keyOf(clientId, ''), client.subjects, time);
      for (const feature of featuresOf(event)) {
        const usage = count(client, feature, subject, time);
        if (usage !== undefined) note(keyOf(clientId, feature), usage, time);
      }
    },
    adoption(clientId, feature, at) {
      const client = clients.get(0, clientId);
      const usage = client?.features.get(feature);
      return {
        subjects: usage?.count(at) ?? 0,
        population: client?.subjects.count(at) ?? 0,
        firstSeen: usage === undefined || usage.first > at ? null : usage.first,
      };
    },
    load(rows) {
      for (const { key, state } of rows) {
        const [clientId = '', feature = ''] = JSON.parse(key) as [string?, string?];
        const usage = createDistinct(JSON.parse(state) as EncodedDistinct);
        const client = clientOf(clientId);
        if (feature === '') client.subjects = usage;
        else {
          client.features.set(feature, usage);
          if (client.features.size > limits.features) dropStillest(client);
        }
      }
    },
    changed: () =>
      Array.from(changed, ([key, { count: usage, time }]) => ({
        space: POPULATION,
        key,
        version: VERSION,
        state: JSON.stringify(usage.encode()),
        event_time: time,
        ttl: TTL,
      })),
    settle: () => changed.clear(),
  };
}

/**
 * Adoption over several populations that share no subject: those of state partitions, which are keyed by subject.
 */
export function adoptionOver(
  populations: Iterable<Pick<Population, 'adoption'>>,
  client: string,
  feature: string,
  at: number,
): Adoption {
  const total: Adoption = { subjects: 0, population: 0, firstSeen: null };
  for (const population of populations) {
    const { subjects, population: size, firstSeen } = population.adoption(client, feature, at);
    total.subjects += subjects;
    total.population += size;
    if (firstSeen !== null) total.firstSeen = Math.min(firstSeen, total.firstSeen ?? firstSeen);
  }
  return total;
}
