import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { isRecallError, messageOf, type RecallError } from '../errors.ts';
import type { Logger } from '../telemetry/log.ts';

/** Stable names of what can go wrong, for programs: switch on these, never on `detail`. */
const problemCode = z.enum([
  'invalid_request',
  'invalid_body',
  'raw_token',
  'unauthorized',
  'invalid_token',
  'insufficient_role',
  'not_found',
  'conflict',
  'not_possible',
  'payload_too_large',
  'unsupported_media_type',
  'unsupported_content_encoding',
  'unsupported_handle',
  'rate_limited',
  'overloaded',
  'unavailable',
  'internal',
]);
export type ProblemCode = z.infer<typeof problemCode>;

/** The body of every answer that is not a success: RFC 9457, `application/problem+json`. */
const problemBody = z
  .object({
    type: z.literal('about:blank').describe('RFC 9457: the problem has no more meaning than its status'),
    title: z.string().describe('Phrase of the status'),
    status: z.number().int().describe('HTTP status'),
    code: problemCode.describe('Stable name of the problem, for programs'),
    detail: z.string().describe('What is wrong and what to do about it, for people'),
    errors: z
      .array(z.object({ path: z.string().describe('Where in the request'), problem: z.string() }))
      .optional()
      .describe('Each field that is wrong'),
  })
  .meta({ id: 'Problem' });
type ProblemBody = z.infer<typeof problemBody>;

/** How a route's description names a problem it answers. */
export function problemResponse(description: string) {
  return { description, content: { 'application/problem+json': { schema: problemBody } } };
}

/** How a route's description names what it answers when all is well. */
export function jsonResponse<T extends z.ZodType>(schema: T, description: string) {
  return { description, content: { 'application/json': { schema } } };
}

/** An answer other than success, thrown by routes and hooks. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: number;
  readonly code: ProblemCode;
  readonly headers: Readonly<Record<string, string>>;
  readonly errors: ProblemBody['errors'];

  constructor(
    status: number,
    code: ProblemCode,
    detail: string,
    options: { headers?: Record<string, string>; errors?: ProblemBody['errors'] } = {},
  ) {
    super(detail);
    this.status = status;
    this.code = code;
    this.headers = options.headers ?? {};
    this.errors = options.errors;
  }
}

/** 404 for something looked up by id; the id is not repeated: it might be a token. */
export function notFound(what: string): Problem {
  return new Problem(404, 'not_found', `There is no such ${what}.`);
}

const RETRY_AFTER_SECONDS = 5;

/** 503 with Retry-After: nothing was done, and the same request may succeed later. */
export function unavailable(
  detail: string,
  code: ProblemCode = 'unavailable',
  retryAfterMs?: number,
): Problem {
  const seconds = retryAfterMs === undefined ? RETRY_AFTER_SECONDS : Math.ceil(retryAfterMs / 1000);
  return new Problem(503, code, detail, { headers: { 'retry-after': String(seconds) } });
}

function ofRecallError(error: RecallError): Problem | null {
  switch (error.code) {
    case 'ERR_STORE_UNAVAILABLE':
      return unavailable('ClickHouse does not answer. Ask again later.', 'unavailable', error.retryAfter);
    case 'ERR_SOURCE_UNAVAILABLE':
      return unavailable('The worker does not take events right now. Send the same again later.');
    case 'ERR_STATE_FENCED':
      return unavailable('Another worker has taken over from this one. Send the same to that one.');
    case 'ERR_PARTITIONING':
    case 'ERR_RESPONDER_REFUSED':
    case 'ERR_CUSTODY_OPEN':
      return new Problem(409, 'not_possible', error.message);
    case 'ERR_DECODE_JSON':
      return new Problem(400, 'invalid_body', 'The body is not a JSON array of records, or one record.');
    case 'ERR_USAGE':
      return new Problem(400, 'invalid_request', error.message);
    default:
      return null;
  }
}

// Names of unknown fields are repeated only where they cannot be a token put in the wrong place.
const PLAIN_NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,30}$/;

function problemOfIssue(params: Record<string, unknown> | undefined, message: string | undefined): string {
  const keys = params?.['keys'];
  if (!Array.isArray(keys)) return message ?? 'is not valid';
  const names = keys.filter((key): key is string => typeof key === 'string' && PLAIN_NAME.test(key));
  return names.length === keys.length ? `unknown: ${names.join(', ')}` : 'has unknown fields';
}

/** What Fastify itself refuses. Its messages are not passed on: some quote the request. */
function ofFastifyError(error: FastifyError): Problem | null {
  if (hasZodFastifySchemaValidationErrors(error)) {
    const where = (error.validationContext ?? 'request').replace('querystring', 'query');
    const errors = error.validation.map(({ instancePath, params, message }) => ({
      path: `${where}${instancePath}`,
      problem: problemOfIssue(params, message),
    }));
    return new Problem(400, 'invalid_request', 'The request does not fit the description at /docs.', {
      errors,
    });
  }
  switch (error.statusCode) {
    case 413:
      return new Problem(413, 'payload_too_large', 'The body is too large.');
    case 415:
      return new Problem(415, 'unsupported_media_type', 'The Content-Type is not supported here; see /docs.');
    case undefined:
      return null;
    default:
      return error.statusCode >= 400 && error.statusCode < 500
        ? new Problem(
            error.statusCode,
            'invalid_body',
            'The request could not be read: malformed body or headers.',
          )
        : null;
  }
}

/** The problem that `error` is to the caller. What is not the caller's affair becomes a plain 500. */
function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const known = isRecallError(error)
    ? ofRecallError(error)
    : error instanceof Error
      ? ofFastifyError(error as FastifyError)
      : null;
  return known ?? new Problem(500, 'internal', 'Something went wrong here; the log of the worker says what.');
}

/** Answers any error as problem details, and logs those that are the server's own. */
export function createErrorHandler(log: Logger) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const problem = toProblem(error);
    if (problem.code === 'internal') {
      // The route's template, not the URL: a URL may carry anything, and logs must not.
      const route = request.routeOptions.url ?? 'none';
      const at = error instanceof Error ? error.stack?.split('\n').slice(-8) : undefined;
      log.error({ method: request.method, route, error: messageOf(error), at }, 'a request failed');
    }
    return sendProblem(reply, problem);
  };
}

function bodyOf(problem: Problem): ProblemBody {
  return {
    type: 'about:blank',
    title: STATUS_CODES[problem.status] ?? 'Error',
    status: problem.status,
    code: problem.code,
    detail: problem.message,
    errors: problem.errors,
  };
}

/** Answers bytes that are no HTTP request, and hangs up. */
export function answerMalformed(socket: Duplex): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = JSON.stringify(bodyOf(new Problem(400, 'invalid_request', 'This is no HTTP request.')));
  const length = Buffer.byteLength(body);
  const head = `HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\nContent-Length: ${String(length)}`;
  socket.end(`${head}\r\nConnection: close\r\n\r\n${body}`);
}

/** Sends a problem as `application/problem+json`. */
export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  return reply
    .code(problem.status)
    .headers(problem.headers)
    .type('application/problem+json')
    .serializer((payload) => JSON.stringify(payload))
    .send(bodyOf(problem));
}
