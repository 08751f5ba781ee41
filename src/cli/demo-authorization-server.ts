import { once } from 'node:events';
import { Command } from 'commander';
import { startAuthorizationServer } from '../demo/authorization-server.ts';
import { SCOPES } from '../demo/routes.ts';
import { RecallError } from '../errors.ts';
import { createLogger } from '../telemetry/log.ts';
import { EXIT, withExit } from './exit.ts';

interface Options {
  host: string;
  port: string;
  issuer?: string;
}

const HELP = `
Clients: token-recall and demo-machine, both with the secret in DEMO_CLIENT_SECRET (client_secret_basic).
It signs in whoever login_hint names and asks nobody for consent: for trying things out, on a private network only.

Example:
  $ DEMO_CLIENT_SECRET=$(openssl rand -hex 32) token-recall demo authorization-server --port 9400
`;

/** `token-recall demo authorization-server`: the demo's authorization server by itself, as docker-compose runs it. */
export function authorizationServerCommand(): Command {
  return new Command('authorization-server')
    .summary('only the authorization server, until it is told to stop')
    .description("Runs the demo's authorization server (oidc-provider) by itself.")
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <n>', 'port to listen on', '9400')
    .option('--issuer <url>', 'issuer identifier, where others reach it by another name')
    .addHelpText('after', HELP)
    .action(
      withExit(async ({ host, port, issuer }: Options) => {
        const client_secret = process.env['DEMO_CLIENT_SECRET'] ?? '';
        if (client_secret.length < 16) {
          throw new RecallError('ERR_USAGE', 'DEMO_CLIENT_SECRET must be set, to 16 characters or more');
        }
        const client = (client_id: string, grants: readonly 'client_credentials'[]) => ({
          credential: { auth_method: 'client_secret_basic' as const, client_id, client_secret },
          grants,
        });
        const server = await startAuthorizationServer({
          host,
          port: Number(port),
          ...(issuer !== undefined && { issuer }),
          clients: [client('token-recall', []), client('demo-machine', ['client_credentials'])],
          scopes: SCOPES,
          log: createLogger('warn'),
        });
        process.stderr.write(`authorization server: ${server.issuer}\n`);
        await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
        await server.stop();
        return EXIT.done;
      }),
    );
}
