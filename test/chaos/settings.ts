import { randomBytes } from 'node:crypto';
import type { ConfigInput } from '../../schemas/config.ts';
import type { Road } from './options.ts';

/** Names of what a run, or its undisturbed counterpart, uses in Kafka. */
export interface Names {
  readonly access: string;
  readonly authorization: string;
  readonly repartition: string;
  readonly accessGroup: string;
  readonly authorizationGroup: string;
  readonly detectGroup: string;
}

export const namesOf = (prefix: string, road: Road): Names => ({
  access: `${prefix}-access`,
  authorization: `${prefix}-authorization`,
  repartition: `${prefix}-events`,
  // Topics that are keyed by subject are read by one group: it is what brings a subject's events together.
  accessGroup: road === 'keyed' ? `${prefix}.detect` : `${prefix}.access`,
  authorizationGroup: road === 'keyed' ? `${prefix}.detect` : `${prefix}.authorization`,
  detectGroup: `${prefix}.detect`,
});

export type ClientSecrets = Readonly<Record<'web' | 'app', string>>;

export interface Settings {
  road: Road;
  names: Names;
  brokers: readonly string[];
  store: { url: string; username: string; password: string };
  issuer: string;
  clients: ClientSecrets;
  custodyKey: string;
  dataDir: string;
}

const credential = (client_id: string, client_secret: string) =>
  ({ auth_method: 'client_secret_basic', client_id, client_secret }) as const;

/** What decides. Guards that look at the clock are wide open: a decision follows from events alone. */
export const DETECTION = {
  // The stream is hours long, not days.
  detectors: { 'scope-drift': { learning_events: 8, learning_days: 0 } },
  policy: {
    mode: 'enforce',
    max_event_age: '30d',
    budget: { per_minute: 1_000_000, per_client_per_hour: 1_000_000 },
  },
} satisfies ConfigInput;

/** The configuration of a worker. */
export function workerConfig({
  road,
  names,
  brokers,
  store,
  issuer,
  clients,
  ...rest
}: Settings): ConfigInput {
  const keyed_by: 'subject' | 'none' = road === 'keyed' ? 'subject' : 'none';
  const kafka = { kind: 'kafka' as const, brokers: [...brokers], keyed_by };
  return {
    data_dir: rest.dataDir,
    sources: [
      { ...kafka, topics: [names.access], group_id: names.accessGroup, stream: 'access' },
      {
        ...kafka,
        topics: [names.authorization],
        group_id: names.authorizationGroup,
        stream: 'authorization',
      },
    ],
    ...(road === 'repartition' && {
      repartition: { brokers: [...brokers], topic: names.repartition, group_id: names.detectGroup },
    }),
    ...DETECTION,
    authorization_servers: [
      {
        issuer,
        credential: credential('web', clients.web),
        clients: [credential('app', clients.app)],
        timeout: '3s',
        circuit: { pause: '2s' },
      },
    ],
    custody: { key: rest.custodyKey },
    store,
    api: { port: 0 },
  };
}

export const newSecrets = () => ({
  clients: { web: randomBytes(24).toString('base64url'), app: randomBytes(24).toString('base64url') },
  custodyKey: randomBytes(32).toString('base64'),
});
