import type { Adoption, StreamEvent } from './contract.ts';
import { createDistinct, hash32, type Distinct } from './distinct.ts';
import { featuresOf } from './features.ts';
import { clientKey, isMachine, subjectKey } from './keys.ts';
import { createLru } from './lru.ts';

const CLIENTS = 10_000;
const FEATURES_PER_CLIENT = 4_096;

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
}

/**
 * Counts adoption by client and feature in bounded memory: the client longest unused is forgotten first, and within a
 * client the feature that has won no new subject for longest, so that what everybody uses stays.
 */
export function createPopulation(limits = { clients: CLIENTS, features: FEATURES_PER_CLIENT }): Population {
  const clients = createLru<Client>();

  function clientOf(key: string): Client {
    const known = clients.get(0, key);
    if (known !== undefined) return known;
    const client: Client = { subjects: createDistinct(), features: new Map() };
    clients.add(0, key, client);
    if (clients.size > limits.clients) clients.dropOldest();
    return client;
  }

  function count(
    features: Map<string, Distinct>,
    feature: string,
    subject: { key: string; hash: number },
    time: number,
  ): void {
    const usage = features.get(feature);
    if (usage === undefined) {
      const fresh = createDistinct();
      fresh.add(subject.key, subject.hash, time);
      features.set(feature, fresh);
      if (features.size > limits.features) {
        for (const longestStill of features.keys()) {
          features.delete(longestStill);
          break;
        }
      }
    } else if (usage.add(subject.key, subject.hash, time) && features.size * 2 > limits.features) {
      features.delete(feature);
      features.set(feature, usage);
    }
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
      client.subjects.add(key, subject.hash, event.time);
      for (const feature of featuresOf(event)) count(client.features, feature, subject, event.time);
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
  };
}
