import { z } from 'zod';
import { mode } from './alert.ts';
import { alertSinkConfig } from './config-sinks.ts';
import { authorizationServerConfig } from './config-authorization-server.ts';
import { repartitionConfig, sourceConfig } from './config-sources.ts';
import { networkClass } from './access-event.ts';
import { secretText } from './secret.ts';
import { byteSize, duration } from './values.ts';

const names = z.array(z.string().min(1)).default([]);

const enrichConfig = z.strictObject({
  city: z
    .array(z.string().min(1))
    .optional()
    .describe(
      'City databases (.mmdb), one for both families or one each; default: the DB-IP Lite files that ship with the product',
    ),
  asn: z
    .array(z.string().min(1))
    .optional()
    .describe(
      'ASN databases: .mmdb (GeoLite2-ASN) or .csv (ip-location-db); default: the files that ship with the product',
    ),
  trusted_proxies: names.describe('Networks (CIDR) whose X-Forwarded-For entries are believed'),
  networks: z
    .array(
      z.strictObject({
        class: networkClass.describe('Class given to what matches'),
        cidrs: names.describe('Networks (CIDR)'),
        asns: z.array(z.number().int().min(0)).default([]).describe('Autonomous system numbers'),
      }),
    )
    .default([])
    .describe('Your own knowledge of networks; the first match wins over the built-in lists'),
  reload_interval: duration.prefault('1m').describe('How often database files are looked at for change'),
});

const policyConfig = z.strictObject({
  mode: mode.default('shadow').describe('shadow: decide and record, carry nothing out; enforce: carry out'),
  alert_threshold: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe('Risk from which an alert goes to the sinks'),
  approval_threshold: z
    .number()
    .min(0)
    .max(1)
    .default(0.8)
    .describe('Risk from which a person is asked to approve a recall'),
  revoke_threshold: z
    .number()
    .min(0)
    .max(1)
    .default(0.9)
    .describe('Risk from which a recall needs no person, given corroboration'),
  min_signals: z
    .number()
    .int()
    .min(1)
    .default(2)
    .describe(
      'Independent kinds of evidence a recall without a person needs, unless a finding is conclusive',
    ),
  max_event_age: duration
    .prefault('15m')
    .describe('Oldest event that may cause a revocation; older ones only alert'),
  never_revoke: z
    .strictObject({
      subjects: names.describe('Subjects (sub)'),
      clients: names.describe('Clients (client_id)'),
      issuers: names.describe('Issuers (iss)'),
      networks: names.describe('Networks (CIDR): tokens used suspiciously from there'),
    })
    .prefault({})
    .describe('What is never revoked automatically; looked at again at the moment of action'),
  budget: z
    .strictObject({
      per_minute: z.number().int().min(0).default(30).describe('Automatic recalls a minute, over all'),
      per_client_per_hour: z
        .number()
        .int()
        .min(0)
        .default(100)
        .describe('Automatic recalls an hour for one client'),
    })
    .prefault({})
    .describe('How much may be recalled without a person; past it, approval is asked'),
});

const detectionConfig = z.strictObject({
  max_future: duration
    .prefault('10m')
    .describe('How far ahead of arrival an event time may be; further is a dead letter'),
  allowed_lateness: duration
    .prefault('6h')
    .describe(
      'How far behind the latest event of its partition an event may be and still be held against the others; later ones are stored, counted and marked `late`',
    ),
  max_keys: z
    .number()
    .int()
    .min(1000)
    .default(2_000_000)
    .describe(
      'States kept in memory over all detectors; the longest unused leaves it first, and is read back from ClickHouse when needed',
    ),
});

const custodyConfig = z.strictObject({
  key: secretText
    .optional()
    .describe(
      '32 bytes, base64: seals raw tokens at rest. Without it (server mode) raw tokens are not kept and cannot be revoked',
    ),
  default_ttl: duration.prefault('1d').describe('How long a token without a known expiry is kept'),
});

const storeConfig = z.strictObject({
  url: z
    .string()
    .optional()
    .describe('ClickHouse over HTTP(S); absent: an embedded ClickHouse under `data_dir`'),
  database: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
    .default('token_recall')
    .describe('Database of the tables'),
  username: z.string().default('default').describe('User that writes'),
  password: secretText.optional().describe('Its password'),
  cluster: z
    .string()
    .optional()
    .describe(
      'Cluster name (remote_servers): tables are created on each shard with Distributed tables in front',
    ),
  shards: z
    .array(z.url({ protocol: /^https?$/ }))
    .default([])
    .describe('HTTP(S) URLs of all servers of `cluster`: `migrate` creates the tables on each of them'),
  on_cluster: z
    .boolean()
    .default(false)
    .describe(
      'Create tables by `ON CLUSTER` through `url` instead of on each of `shards`; the cluster needs Keeper',
    ),
  replicated: z
    .boolean()
    .default(false)
    .describe(
      'ReplicatedMergeTree instead of MergeTree; servers need Keeper and the macros {shard} and {replica}',
    ),
  retention: z
    .strictObject({
      events: duration.prefault('90d').describe('Access and authorization events'),
      alerts: duration.prefault('400d').describe('Findings, alerts, actions, audit'),
      dead_letters: duration.prefault('30d').describe('Dead letters'),
    })
    .prefault({})
    .describe('How long rows are kept (TTL)'),
  flush_interval: duration
    .prefault('250ms')
    .describe('Shortest time between two inserts into a table, unless rows are many or urgent'),
  flush_rows: z.number().int().min(1).default(50_000).describe('Rows that cause an insert at once'),
  http_port: z
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(8123)
    .describe('Embedded only: HTTP port on loopback; 0 takes a free one'),
  tcp_port: z
    .number()
    .int()
    .min(0)
    .max(65_535)
    .optional()
    .describe(
      'Embedded only: native port on loopback, for clickhouse-client; 0 takes a free one; absent: none. A failed native login ends the embedded ClickHouse, which is then started again: leave it absent where HTTP will do',
    ),
});

const apiConfig = z.strictObject({
  enabled: z.boolean().default(true).describe('Whether the HTTP API listens'),
  host: z.string().default('127.0.0.1').describe('Address to listen on; a public one needs `tokens`'),
  port: z.number().int().min(0).max(65_535).default(7300).describe('Port; 0 takes a free one'),
  tokens: z
    .array(
      z.strictObject({
        name: z.string().min(1).describe('Who holds it; appears in the audit trail'),
        role: z
          .enum(['reader', 'operator', 'ingest'])
          .describe('reader: looks; operator: acts as well; ingest: pushes logs, nothing else'),
        token: secretText.describe('The bearer token, at least 16 characters'),
      }),
    )
    .default([])
    .describe('Bearer credentials; on loopback without any, one of each role is generated under `data_dir`'),
  max_body: byteSize.prefault('16MiB').describe('Largest body of a push, before and after decompression'),
  public_url: z
    .string()
    .optional()
    .describe('How alerts link to this API and its runbooks; default: the listening address'),
});

/** The whole configuration file. Every field has a default: an empty file is a valid one. */
export const config = z.strictObject({
  data_dir: z.string().min(1).default('./data').describe('Embedded store, generated credentials and keys'),
  sources: z.array(sourceConfig).default([]).describe('Where logs come from, besides HTTP push'),
  repartition: repartitionConfig
    .optional()
    .describe(
      'Brings all events of a subject into one partition, where sources are not keyed by subject; several workers need it, or sources keyed by subject',
    ),
  max_line: byteSize.prefault('1MiB').describe('Largest record; a larger one is a dead letter'),
  enrich: enrichConfig.prefault({}).describe('Where addresses are looked up'),
  detection: detectionConfig.prefault({}).describe('How events are held against each other'),
  detectors: z
    .record(z.string(), z.looseObject({ enabled: z.boolean().optional(), mode: mode.optional() }))
    .default({})
    .describe(
      'Options by detector id; `enabled: false` turns one off, `mode: shadow` keeps its findings from acting',
    ),
  policy: policyConfig.prefault({}).describe('What findings lead to'),
  authorization_servers: z.array(authorizationServerConfig).default([]).describe('Where tokens are revoked'),
  custody: custodyConfig.prefault({}).describe('How raw tokens are kept until they can be revoked'),
  alert_sinks: z.array(alertSinkConfig).default([]).describe('Where alerts go besides ClickHouse'),
  store: storeConfig.prefault({}).describe('ClickHouse'),
  api: apiConfig.prefault({}).describe('HTTP API'),
  stop_deadline: duration
    .prefault('15s')
    .describe(
      'How long a stop waits for work under way; what is unfinished then is taken up by the next start',
    ),
  log_level: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('Least level logged to stderr'),
});
export type Config = z.infer<typeof config>;
/** What a configuration file may say. */
export type ConfigInput = z.input<typeof config>;
export type PolicyConfig = Config['policy'];
export type StoreConfig = Config['store'];
export type EnrichConfig = Config['enrich'];
export type ApiConfig = Config['api'];
