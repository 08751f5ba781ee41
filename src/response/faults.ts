import { isRecallError, RecallError } from '../errors.ts';
import { maskTokens } from '../formats/mask.ts';
import { parseRetryAfter } from './retry-after.ts';

/** Error codes of RFC 6749 section 5.2 and RFC 7009 section 2.2.1, with what is to be changed. */
const ADVICE: Record<string, string> = {
  invalid_client: 'check client_id, secret or key, and auth_method of that client',
  unauthorized_client: 'let that client use this endpoint, or configure another one',
  invalid_request:
    'the server may not let that client act on this token: list the owner of the token in `clients`',
  unsupported_token_type:
    'this server does not revoke this kind of token: a JWT lives until it expires, so deny it at the gateways and keep lifetimes short',
};

const LONGEST_DESCRIPTION = 200;

/**
 * Sends a request and waits for the whole of its answer, body included.
 *
 * @param what which request, for the error: `revocation endpoint HOST`
 * @param timeout in milliseconds
 * @throws RecallError ERR_RESPONDER_UNAVAILABLE where there is none in time
 */
export async function answered(
  what: string,
  timeout: number,
  signal: AbortSignal,
  send: (signal: AbortSignal) => Promise<Response>,
): Promise<Response> {
  const late = AbortSignal.timeout(timeout);
  try {
    const response = await send(AbortSignal.any([signal, late]));
    const { status, headers } = response;
    const body = await response.arrayBuffer();
    return new Response(body.byteLength === 0 ? null : body, { status, headers });
  } catch (error) {
    if (isRecallError(error)) throw error;
    if (signal.aborted) throw new RecallError('ERR_RESPONDER_UNAVAILABLE', `${what}: given up, stopping`);
    const reason = late.aborted
      ? `no answer within ${timeout} ms`
      : `cannot be reached (${networkCode(error)})`;
    throw new RecallError('ERR_RESPONDER_UNAVAILABLE', `${what}: ${reason}`, { cause: error });
  }
}

/**
 * Lets an answer with status 200 pass, which is how both RFC 7009 and RFC 7662 say yes.
 *
 * @throws RecallError ERR_RESPONDER_UNAVAILABLE for 408, 429 and 5xx (RFC 7009 section 2.2.1: on 503 the token is
 *   still valid and the request is to be repeated), ERR_RESPONDER_REFUSED for anything else
 */
export async function assertOk(what: string, client_id: string, response: Response): Promise<void> {
  const { status, headers } = response;
  if (status === 200) return;
  if (status === 408 || status === 429 || status >= 500) {
    const retryAfter = parseRetryAfter(headers.get('retry-after'), Date.now());
    const wait = retryAfter === undefined ? '' : `, asks to wait ${Math.ceil(retryAfter / 1000)} s`;
    throw new RecallError('ERR_RESPONDER_UNAVAILABLE', `${what}: answered ${status}${wait}`, { retryAfter });
  }
  throw new RecallError('ERR_RESPONDER_REFUSED', `${what}: ${await refusal(client_id, response)}`);
}

async function refusal(client_id: string, response: Response): Promise<string> {
  const { status } = response;
  const { error, error_description } = await errorBody(response);
  // Only codes that are known are repeated as they are: a server may echo anything.
  const code = status === 401 && error === undefined ? 'invalid_client' : error;
  if (code === undefined || !Object.hasOwn(ADVICE, code)) {
    return `answered ${status} to client ${client_id}: not an endpoint as the standard has it; check its address`;
  }
  const said = typeof error_description === 'string' ? ` (${masked(error_description)})` : '';
  return `refused client ${client_id} with ${status} ${code}${said}; ${ADVICE[code] ?? ''}`;
}

async function errorBody(response: Response): Promise<{ error?: string; error_description?: unknown }> {
  try {
    const body: unknown = await response.json();
    if (typeof body !== 'object' || body === null || !('error' in body)) return {};
    const { error } = body;
    const description = 'error_description' in body ? body.error_description : undefined;
    return typeof error === 'string' ? { error, error_description: description } : {};
  } catch {
    return {};
  }
}

const masked = (text: string): string => maskTokens(Buffer.from(text, 'utf8'), LONGEST_DESCRIPTION);

/** The code of a network error, such as ECONNREFUSED. Its message is not used: libraries quote in there. */
function networkCode(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (cause instanceof AggregateError && cause.errors.length > 0) return networkCode(cause.errors[0]);
  if (cause instanceof Error && 'code' in cause && typeof cause.code === 'string') return cause.code;
  return cause instanceof Error ? cause.name : 'unknown fault';
}
