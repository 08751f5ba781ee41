import { Agent, request, type Dispatcher } from 'undici';
import type { WebhookSinkConfig } from '../../../schemas/config-sinks.ts';
import { messageOf, RecallError } from '../../errors.ts';
import { parseRetryAfter } from '../../response/retry-after.ts';
import type { AlertEncoder } from '../encode.ts';
import type { AlertSink } from '../port.ts';
import { sign, SIGNATURE_HEADER, TIMESTAMP_HEADER } from './webhook-signature.ts';

/** Answers that another attempt may change: RFC 9110 section 15.5.9, RFC 8470, RFC 6585 section 4. */
const TEMPORARY = new Set([408, 425, 429]);

/** A header that came once; one that came twice contradicts itself. */
const one = (header: string | string[] | undefined) => (typeof header === 'string' ? header : null);

/**
 * Posts each alert as JSON, signed with HMAC-SHA256. A receiver that is away or busy (network fault, time-out,
 * 408, 425, 429, 5xx) is asked again later; any other answer but 2xx, redirects among them, is final: a redirect
 * would hand the alert to an address nobody configured.
 */
export function createWebhookSink(config: WebhookSinkConfig, encode: AlertEncoder): AlertSink {
  const name = `webhook:${new URL(config.url).host}`;
  const agent = new Agent({ connect: { timeout: config.timeout } });

  async function post(body: string, idempotencyKey: string, signal: AbortSignal) {
    const timestamp = String(Math.floor(Date.now() / 1000));
    let response: Dispatcher.ResponseData;
    try {
      response = await request(config.url, {
        method: 'POST',
        dispatcher: agent,
        signal: AbortSignal.any([signal, AbortSignal.timeout(config.timeout)]),
        headers: {
          'content-type': 'application/json',
          'user-agent': 'token-recall',
          'idempotency-key': idempotencyKey,
          [TIMESTAMP_HEADER]: timestamp,
          [SIGNATURE_HEADER]: sign(config.secret, timestamp, body),
        },
        body,
      });
    } catch (error) {
      throw new RecallError('ERR_SINK_UNAVAILABLE', `${name} did not answer: ${messageOf(error)}`, {
        cause: error,
      });
    }
    // The answer's content says nothing to us, but its connection is free only once it is read;
    // one that breaks off after the status is a delivery all the same.
    await response.body.dump().catch(() => undefined);
    return response;
  }

  return {
    name,
    address: `${config.url} ${config.format}`,
    async send(alert, signal) {
      const key = `${alert.alert_id}.${String(alert.version)}`;
      const { statusCode, headers } = await post(encode(alert), key, signal);
      if (statusCode >= 200 && statusCode < 300) return;
      if (TEMPORARY.has(statusCode) || statusCode >= 500) {
        throw new RecallError('ERR_SINK_UNAVAILABLE', `${name} answered ${String(statusCode)}`, {
          retryAfter: parseRetryAfter(one(headers['retry-after']), Date.now()),
        });
      }
      const hint =
        statusCode >= 300 && statusCode < 400 ? ' (redirects are not followed: configure the final URL)' : '';
      throw new RecallError('ERR_SINK_REFUSED', `${name} answered ${String(statusCode)}${hint}`);
    },
    close: () => agent.destroy(),
  };
}
