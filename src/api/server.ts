import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import underPressure from '@fastify/under-pressure';
import fastify, { type FastifyInstance } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { ApiConfig } from '../../schemas/config.ts';
import { messageOf, RecallError } from '../errors.ts';
import { guardRoutes } from './access.ts';
import type { ApiDeps } from './deps.ts';
import { describeRoutes } from './openapi.ts';
import {
  answerMalformed,
  createErrorHandler,
  notFound,
  Problem,
  sendProblem,
  unavailable,
} from './problem.ts';
import { alertRoutes } from './routes/alerts.ts';
import { deadLetterRoutes } from './routes/dead-letters.ts';
import { detectorRoutes } from './routes/detectors.ts';
import { healthRoutes } from './routes/health.ts';
import { ingestRoutes } from './routes/ingest.ts';
import { recallRoutes } from './routes/recalls.ts';
import { tokenRoutes } from './routes/tokens.ts';

/** Largest body of everything but pushes, bytes. */
const BODY_LIMIT = 64 * 1024;
/** A jti is at most this long, and stands in paths. */
const LONGEST_ID = 1024;
/** Requests a minute from one address, for all but pushes, probes and metrics: against runaway scripts. */
const REQUESTS_A_MINUTE = 6000;
/** A mean event loop delay that means: queries would only make it worse, ms. */
const OVERLOAD_DELAY = 5000;
/** How long a request may take to arrive, ms. */
const REQUEST_TIMEOUT = 120_000;
/** How long requests under way may take to end once the API is closing, ms. */
const CLOSE_GRACE = 5000;

/** Sets limits against callers that ask too much. */
async function limitCallers(app: FastifyInstance): Promise<void> {
  await app.register(rateLimit, {
    max: REQUESTS_A_MINUTE,
    timeWindow: 60_000,
    errorResponseBuilder: (_request, { ttl }) =>
      new Problem(
        429,
        'rate_limited',
        `More than ${String(REQUESTS_A_MINUTE)} requests a minute from one address.`,
        {
          headers: { 'retry-after': String(Math.ceil(ttl / 1000)) },
        },
      ),
  });
  await app.register(underPressure, {
    maxEventLoopDelay: OVERLOAD_DELAY,
    pressureHandler: (request) => {
      // Probes must be answered: a busy worker is neither dead nor, for that alone, unready.
      if (request.routeOptions.config.access === 'public') return;
      throw unavailable('The worker is overloaded. Ask again later.', 'overloaded');
    },
  });
}

/**
 * The HTTP API: ingest, alerts, tokens, recalls, detectors, health, and its own description. Does not listen yet.
 * Nothing that a caller sends is logged: no header, no body, no URL.
 */
export async function createApi(deps: ApiDeps): Promise<FastifyInstance> {
  const onError = createErrorHandler(deps.log);
  const app = fastify({
    logger: false,
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_TIMEOUT,
    routerOptions: { maxParamLength: LONGEST_ID },
    forceCloseConnections: 'idle',
    // What the router itself refuses, and bytes that are no HTTP; Fastify's own answers would quote the URL.
    frameworkErrors: (error, request, reply) => void onError(error, request, reply),
    clientErrorHandler: (_error, socket) => answerMalformed(socket),
  });
  app.addHook('preClose', (done) => {
    // A connection that never sent a request counts as busy, and would hold up the end for as long as it likes.
    setTimeout(() => app.server.closeAllConnections(), CLOSE_GRACE).unref();
    done();
  });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(onError);
  app.setNotFoundHandler((_request, reply) => void sendProblem(reply, notFound('route; see /docs')));
  await app.register(helmet, { contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } } });
  await limitCallers(app);
  guardRoutes(app, deps.credentials);
  await describeRoutes(app, deps.config.public_url);

  /** Where links of answers start. */
  const publicUrl = () => deps.config.public_url ?? app.listeningOrigin;
  await app.register(healthRoutes(deps));
  await app.register(ingestRoutes(deps));
  await app.register(alertRoutes(deps, publicUrl));
  await app.register(tokenRoutes(deps));
  await app.register(recallRoutes(deps));
  await app.register(deadLetterRoutes(deps));
  await app.register(detectorRoutes(deps));
  await app.ready();
  return app;
}

/**
 * Listens where `config` says.
 *
 * @returns the URL it is reached at
 * @throws RecallError ERR_API_ADDRESS where it cannot: taken, not an address of this machine, not allowed
 */
export async function listenApi(
  app: FastifyInstance,
  config: Pick<ApiConfig, 'host' | 'port'>,
): Promise<string> {
  try {
    return await app.listen({ host: config.host, port: config.port });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const why =
      code === 'EADDRINUSE'
        ? 'something else listens there: stop it, or choose another api.port'
        : code === 'EACCES'
          ? 'this user may not listen there: choose an api.port above 1023'
          : code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND'
            ? 'api.host is no address of this machine'
            : messageOf(error);
    const where = `${config.host}:${String(config.port)}`;
    throw new RecallError('ERR_API_ADDRESS', `the API cannot listen on ${where}: ${why}`, { cause: error });
  }
}
