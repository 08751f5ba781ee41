import { randomBytes } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import type { ApiConfig } from '../../../schemas/config.ts';
import { config as configSchema } from '../../../schemas/config.ts';
import { secret } from '../../../schemas/secret.ts';
import type { ApiCredential, Role } from '../../../src/api/credentials.ts';
import type { ApiDeps } from '../../../src/api/deps.ts';
import { createApi } from '../../../src/api/server.ts';
import { RecallError } from '../../../src/errors.ts';
import { createHttpSource } from '../../../src/sources/http.ts';
import type { BatchHandler } from '../../../src/sources/port.ts';
import type { Store } from '../../../src/store/port.ts';
import type { Reads } from '../../../src/store/reads.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';

/** One credential of each role, new in each run. */
export const credentials: ApiCredential[] = (['reader', 'operator', 'ingest'] as const).map((role) => ({
  name: `${role}-name`,
  role,
  token: secret(randomBytes(24).toString('base64url')),
}));

/** The Authorization header of a role. */
export function as(role: Role): { authorization: string } {
  const credential = credentials.find((one) => one.role === role)!;
  return { authorization: `Bearer ${credential.token.reveal()}` };
}

const away = () =>
  Promise.reject(new RecallError('ERR_STORE_UNAVAILABLE', 'clickhouse at 192.0.2.1 is away'));

/** A store that is away: what the API answers then needs no ClickHouse. */
export const storeAway: Store = {
  write: away,
  insert: away,
  query: away,
  ping: away,
  close: () => Promise.resolve(),
};
export const readsAway: Reads = new Proxy({} as Reads, { get: () => away });

export interface Harness {
  app: FastifyInstance;
  /** Every line the API logged. */
  logged: string[];
  close(): Promise<void>;
}

export interface HarnessOptions {
  config?: Partial<ApiConfig>;
  deps?: Partial<ApiDeps>;
  /** Takes what is pushed; without it the HTTP source does not run. */
  onBatch?: BatchHandler;
  maxLine?: number;
}

/** An API that does not listen (use inject), over a store that is away unless `deps` says otherwise. */
export async function startApi({
  config,
  deps,
  onBatch,
  maxLine = 2 ** 20,
}: HarnessOptions = {}): Promise<Harness> {
  const logged: string[] = [];
  const log = pino({ level: 'trace' }, { write: (line: string) => void logged.push(line) });
  const http = createHttpSource({ log, maxLine });
  const stop = new AbortController();
  const running = onBatch === undefined ? Promise.resolve() : http.run(onBatch, stop.signal);
  const app = await createApi({
    config: { ...configSchema.parse({}).api, ...config },
    credentials,
    store: storeAway,
    reads: readsAway,
    http,
    detectors: [],
    metrics: createMetrics(),
    health: () => ({ ready: true, components: { store: { ok: true, detail: 'answers' } } }),
    requestRecall: away,
    redrive: away,
    log,
    ...deps,
  });
  return {
    app,
    logged,
    async close() {
      await app.close();
      stop.abort();
      await running;
    },
  };
}
