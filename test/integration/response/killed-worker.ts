import { secret } from '../../../schemas/secret.ts';
import type { StoreConfig } from '../../../schemas/config.ts';
import { createCustody } from '../../../src/response/custody.ts';
import { createOutbox } from '../../../src/response/outbox.ts';
import { createRevocationResponder } from '../../../src/response/responder.ts';
import { openStore } from '../../../src/store/open.ts';
import { createReads } from '../../../src/store/reads.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { silent } from '../../support/clickhouse.ts';
import { configured } from './support.ts';

/** What the process needs to know; the password and the key come through its environment, as secrets do. */
export interface KilledWorkerInput {
  store: Omit<StoreConfig, 'password'>;
  server: Parameters<typeof configured>[0];
  partition: string;
}

/** A process of its own that carries out what a partition holds, for the test to kill. */
const input = JSON.parse(process.argv[2] ?? '') as KilledWorkerInput;
const config = { ...input.store, password: secret(process.env['STORE_PASSWORD'] ?? '') };
const store = await openStore({ config, dataDir: '', log: silent });
const reads = createReads(store);
const custody = createCustody({
  key: secret(process.env['CUSTODY_KEY'] ?? ''),
  defaultTtl: 3_600_000,
  find: (id, iss) => reads.sealedToken(id, iss),
});
const outbox = createOutbox({
  responder: createRevocationResponder({ servers: [configured(input.server)], custody, log: silent }),
  ...{ store, reads, log: silent, metrics: createMetrics() },
  guard: () => null,
});
outbox.resume(input.partition);
