import { startAuthorizationServer } from '../../src/demo/authorization-server.ts';
import { json, startFaultyFront, type Handler } from '../integration/response/support.ts';
import type { TokenRequest } from './cast.ts';
import type { Illness } from './plan.ts';
import type { ClientSecrets } from './settings.ts';

/*
 * The authorization server as a process of its own: oidc-provider, and in front of it what can make it answer badly.
 * Asked over IPC; it ends with its parent.
 */

/** What can be asked of the process, and what it answers. */
export interface Questions {
  start: (clients: ClientSecrets) => Promise<{ issuer: string }>;
  issue: (requests: readonly TokenRequest[]) => Promise<string[]>;
  /** Falls ill, or recovers. */
  sicken: (illness: Illness | null) => Promise<null>;
  active: (tokens: readonly string[]) => Promise<boolean[]>;
  /** Revocations and introspections asked at the front so far. */
  asked: () => Promise<{ revoke: number; introspect: number }>;
}

export interface Question {
  number: number;
  name: keyof Questions;
  args: unknown[];
}

export type Answer = { number: number; value: unknown } | { number: number; error: string };

const DAY = 86_400;

let server: Awaited<ReturnType<typeof startAuthorizationServer>> | undefined;
let front: Awaited<ReturnType<typeof startFaultyFront>> | undefined;

const started = <T>(part: T | undefined): T => {
  if (part === undefined) throw new Error('the authorization server is not started');
  return part;
};

const HANDLERS: Record<Illness, Handler> = {
  '500': (_request, response) => json(response, 500, { error: 'server_error' }),
  '503': (_request, response) => json(response, 503, { error: 'temporarily_unavailable' }),
  '429': (_request, response) => json(response, 429, { error: 'slow_down' }, { 'retry-after': '1' }),
  // The caller's patience ends it.
  hang: (request) => void request.resume(),
};

const questions: Questions = {
  async start(secrets) {
    const clients = Object.entries(secrets).map(([client_id, client_secret]) => ({
      credential: { auth_method: 'client_secret_basic' as const, client_id, client_secret },
    }));
    server = await startAuthorizationServer({ clients, scopes: ['orders:read'], accessTokenTtl: DAY });
    front = await startFaultyFront(server.issuer);
    return { issuer: front.issuer };
  },
  async issue(requests) {
    const tokens: string[] = [];
    for (const { client, sub } of requests) {
      const { access_token } = await started(server).signIn({
        client_id: client,
        subject: sub,
        scope: 'openid orders:read',
      });
      tokens.push(access_token);
    }
    return tokens;
  },
  sicken(illness) {
    const handler = illness === null ? undefined : HANDLERS[illness];
    Object.assign(started(front).faults, { revoke: handler, introspect: handler, metadata: handler });
    return Promise.resolve(null);
  },
  async active(tokens) {
    const answers: boolean[] = [];
    for (const token of tokens) answers.push(await started(server).isActive(token));
    return answers;
  },
  asked() {
    const count = (endpoint: string) => started(front).asked.filter((one) => one === endpoint).length;
    return Promise.resolve({ revoke: count('revoke'), introspect: count('introspect') });
  },
};

process.on('disconnect', () => process.exit(0));
process.on('message', ({ number, name, args }: Question) => {
  const ask = questions[name] as (...given: unknown[]) => Promise<unknown>;
  ask(...args).then(
    (value) => process.send?.({ number, value } satisfies Answer),
    (error: unknown) => process.send?.({ number, error: String(error) } satisfies Answer),
  );
});
