import { readFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { request } from 'undici';
import { z } from 'zod';
import type { ApiConfig, Config } from '../../schemas/config.ts';
import { secret, type Secret } from '../../schemas/secret.ts';
import { resolveCredentials } from '../api/credentials.ts';
import { messageOf, RecallError } from '../errors.ts';
import type { Push } from '../pipeline/redrive-push.ts';
import { isSecure } from '../response/transport.ts';

/** Where a worker is, as the command line says it; absent: where the configuration says. */
export interface WorkerOptions {
  url?: string | undefined;
  tokenFile?: string | undefined;
  insecureHttp?: boolean | undefined;
}

/** How long a worker may take to say that it is there, ms. */
const PROBE_WITHIN = 5000;
/** How long it may take to make a push durable, ms: longer than it takes itself before it gives up. */
const PUSH_WITHIN = 60_000;

const outcome = z.object({ dead_letters: z.number() });

/**
 * Finds the running worker and gives what pushes records to it.
 *
 * @throws RecallError ERR_SOURCE_UNAVAILABLE where no worker answers, with what to do; ERR_USAGE where tokens would
 *   travel in clear; ERR_CONFIG_READ for the file with the credential
 */
export async function findWorker(config: Config, options: WorkerOptions): Promise<Push> {
  const base = options.url ?? listeningUrl(config.api);
  const url = URL.parse(base);
  if (url === null) throw new RecallError('ERR_USAGE', `--url is no URL: ${base}`);
  if (!isSecure(url, options.insecureHttp)) {
    throw new RecallError(
      'ERR_USAGE',
      `${url.origin}: the records may hold tokens, which would travel in clear: use https, or, inside a private network, --insecure-http`,
    );
  }
  await probe(url);
  // Only now: for a worker that is not there no credentials are to be generated.
  const token = await credentialOf(config, options.tokenFile);
  return async (body, contentType, stream, format) => {
    const target = new URL(`/v1/events/${stream}?format=${encodeURIComponent(format)}`, url);
    const { statusCode, body: answer } = await send(target, {
      method: 'POST',
      headers: { authorization: `Bearer ${token.reveal()}`, 'content-type': contentType },
      body,
      signal: AbortSignal.timeout(PUSH_WITHIN),
    });
    if (statusCode === 200) return { deadLetters: outcome.parse(await answer.json()).dead_letters };
    await answer.dump();
    if (statusCode === 401 || statusCode === 403) {
      throw new RecallError(
        'ERR_USAGE',
        `the worker at ${url.origin} does not take the credential (${statusCode}): it takes one of role ingest or operator, see --token-file`,
      );
    }
    throw new RecallError(
      'ERR_SOURCE_UNAVAILABLE',
      `the worker at ${url.origin} did not take the records (${statusCode}): run the same again later`,
    );
  };
}

/** Where the API of the configuration is reached from this machine. */
function listeningUrl({ enabled, host, port }: ApiConfig): string {
  if (!enabled || port === 0) {
    const why = enabled ? 'api.port is 0, so its port is not known' : 'api.enabled is false';
    throw new RecallError('ERR_SOURCE_UNAVAILABLE', `no worker to hand records to: ${why}. Give --url`);
  }
  const reached = host === '0.0.0.0' || host === '::' ? 'localhost' : host;
  return `http://${isIPv6(reached) ? `[${reached}]` : reached}:${port}`;
}

async function probe(url: URL): Promise<void> {
  try {
    const { statusCode, body } = await send(new URL('/healthz', url), {
      method: 'GET',
      signal: AbortSignal.timeout(PROBE_WITHIN),
    });
    await body.dump();
    if (statusCode === 200) return;
  } catch (error) {
    throw new RecallError(
      'ERR_SOURCE_UNAVAILABLE',
      `no worker answers at ${url.origin}: start it with \`token-recall run\`, or name another with --url and --token-file. ` +
        'With --dry-run none is needed',
      { cause: error },
    );
  }
  throw new RecallError(
    'ERR_SOURCE_UNAVAILABLE',
    `what answers at ${url.origin} is no worker: name it with --url`,
  );
}

async function send(url: URL, options: Parameters<typeof request>[1]) {
  try {
    return await request(url, options);
  } catch (error) {
    const what = `the worker at ${url.origin} cannot be reached: ${messageOf(error)}`;
    throw new RecallError('ERR_SOURCE_UNAVAILABLE', what, { cause: error });
  }
}

/** The credential to push with: from the file, else one that the configuration or the data directory has. */
async function credentialOf(config: Config, tokenFile: string | undefined): Promise<Secret> {
  if (tokenFile !== undefined) {
    try {
      return secret((await readFile(tokenFile, 'utf8')).trim());
    } catch (error) {
      const what = `--token-file ${tokenFile}: ${messageOf(error)}`;
      throw new RecallError('ERR_CONFIG_READ', what, { cause: error });
    }
  }
  const credentials = await resolveCredentials(config.api, config.data_dir);
  const usable =
    credentials.find(({ role }) => role === 'ingest') ?? credentials.find(({ role }) => role === 'operator');
  if (usable !== undefined) return usable.token;
  throw new RecallError('ERR_USAGE', 'api.tokens has none of role ingest or operator: give --token-file');
}
