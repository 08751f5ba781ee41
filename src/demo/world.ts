import { randomBytes } from 'node:crypto';
import { clientCredential } from '../../schemas/config-authorization-server.ts';
import { parseConfig } from '../config/load.ts';
import type { WorkerObserver } from '../pipeline/road.ts';
import { createWorker, type Worker } from '../pipeline/worker.ts';
import type { Logger } from '../telemetry/log.ts';
import {
  startAuthorizationServer,
  type AuthorizationServer,
  type DemoClient,
} from './authorization-server.ts';
import { startGateway, type Gateway } from './gateway.ts';
import { createIntrospection } from './introspection.ts';
import { SCOPES } from './routes.ts';
import { createShipper, type Shipper } from './shipper.ts';

/** The running system: four real servers on loopback. */
export interface World {
  readonly server: AuthorizationServer;
  readonly worker: Worker;
  readonly apiUrl: string;
  readonly gateway: Gateway;
  readonly shipper: Shipper;
  /** What introspection says of a token, asked by the gateway's own client. */
  isActive(token: string): Promise<boolean>;
  stop(): Promise<void>;
}

/** How the clients of the demo authenticate. A fresh secret each time; it never leaves this process but by HTTP on loopback. */
function createClients() {
  const confidential = (client_id: string) => ({
    auth_method: 'client_secret_basic' as const,
    client_id,
    client_secret: randomBytes(32).toString('base64url'),
  });
  return {
    people: [confidential('web-shop'), { auth_method: 'none' as const, client_id: 'mobile-shop' }],
    machines: ['stock-sync', 'nightly-billing', 'partner-insights'].map(confidential),
    gateway: confidential('demo-gateway'),
    recall: confidential('token-recall'),
  };
}

/**
 * Starts an authorization server, Token Recall with a ClickHouse of its own under `dataDir`, and a gateway whose log
 * is pushed to it.
 *
 * @param started told of each part as it is ready
 * @throws RecallError where a part of the worker can't start
 */
export async function startWorld(options: {
  dataDir: string;
  log: Logger;
  observer: WorkerObserver;
  started: (part: string) => void;
}): Promise<World> {
  const { dataDir, log, observer, started } = options;
  const clients = createClients();
  const stops: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const one of stops.splice(0).reverse()) await one();
  };
  try {
    const late: { shipper?: Shipper } = {};
    const registered: DemoClient[] = [
      ...clients.people.map((credential) => ({
        credential,
        grants: ['authorization_code', 'refresh_token'] as const,
      })),
      ...clients.machines.map((credential) => ({ credential, grants: ['client_credentials'] as const })),
      ...[clients.gateway, clients.recall].map((credential) => ({ credential, grants: [] })),
    ];
    const server = await startAuthorizationServer({
      clients: registered,
      scopes: SCOPES,
      onEvent: (event) => late.shipper?.ship('authorization', event),
      log,
    });
    stops.push(() => server.stop());
    started(`authorization server  ${server.issuer}   oidc-provider, a real one`);

    const { config, detectors } = parseConfig({
      data_dir: dataDir,
      policy: { mode: 'enforce' },
      // The demo's load balancer is this machine: it alone is believed about where a request came from.
      enrich: { trusted_proxies: ['127.0.0.0/8'] },
      authorization_servers: [
        {
          issuer: server.issuer,
          credential: clients.recall,
          // An authorization server lets nobody but the owning client revoke a token (RFC 7009 section 2.1).
          clients: [...clients.people, ...clients.machines],
        },
      ],
      store: { http_port: 0, flush_interval: '50ms' },
      api: { port: 0 },
    });
    const worker = await createWorker(config, { log, detectors, observer });
    stops.push(() => worker.stop());
    const { apiUrl, credentials } = worker;
    const ingest = credentials.find(({ role }) => role === 'ingest');
    if (apiUrl === undefined || ingest === undefined) throw new Error('the API has no ingest credential');
    started(
      `Token Recall          ${apiUrl}   enforcing; its own ClickHouse at ${worker.store.endpoint.url}`,
    );
    const shipper = createShipper(apiUrl, ingest.token);
    stops.push(() => shipper.close());
    late.shipper = shipper;

    const introspect = await createIntrospection(server.issuer, clientCredential.parse(clients.gateway));
    const gateway = await startGateway({ introspect, log: (event) => shipper.ship('access', event) });
    stops.push(() => gateway.stop());
    started(`gateway               ${gateway.url}   introspects every token on every request`);
    return {
      ...{ server, worker, apiUrl, gateway, shipper, stop },
      isActive: async (token) => (await introspect(token)).active,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
