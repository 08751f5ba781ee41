import type { Secret } from '../../schemas/secret.ts';
import { messageOf } from '../errors.ts';
import type { Stream } from '../sources/port.ts';
import { pause } from './pause.ts';

const BATCH_INTERVAL = 100;
const ATTEMPTS = 20;
const RETRY_PAUSE = 250;
const REQUEST_TIMEOUT = 15_000;

/** Carries log lines to Token Recall's HTTP ingest, so that nothing with a raw token in it is ever a file. */
export interface Shipper {
  /** Queues an event; it is sent with the next push, at most {@link BATCH_INTERVAL} ms after the last one. */
  ship(stream: Stream, event: Record<string, unknown>): void;
  /** Sends events at once; resolves when Token Recall has acknowledged them, durable. */
  push(stream: Stream, events: readonly Record<string, unknown>[]): Promise<void>;
  /** Resolves when everything queued so far is acknowledged; rejects where it could not be. */
  flush(): Promise<void>;
  /** Sends nothing more; resolves when the push under way, if any, has its answer. */
  close(): Promise<void>;
}

/**
 * Creates a shipper that pushes NDJSON to `/v1/events/{access,authorization}`, one push at a time, sign-ins before the
 * requests they led to. What is queued meanwhile goes with the next push. A push that is refused for the moment is
 * repeated with the same lines.
 */
export function createShipper(apiUrl: string, credential: Secret): Shipper {
  const closing = new AbortController();
  const { signal } = closing;
  let queued = emptyQueue();
  let sending: Promise<void> | undefined;
  let failure: Error | undefined;
  let posting: Promise<unknown> = Promise.resolve();

  async function push(stream: Stream, events: readonly Record<string, unknown>[]): Promise<void> {
    if (events.length === 0) return;
    const body = events.map((event) => JSON.stringify(event)).join('\n');
    for (let attempt = 1; ; attempt += 1) {
      if (signal.aborted) throw new Error('the shipper is closed');
      const answer = post(`${apiUrl}/v1/events/${stream}`, credential, body);
      posting = answer;
      const problem = await answer;
      if (problem === null) return;
      if (attempt === ATTEMPTS || !problem.retry) {
        throw new Error(`${events.length} ${stream} events could not be delivered: ${problem.reason}`);
      }
      await pause(RETRY_PAUSE, signal);
    }
  }

  async function sendAll(): Promise<void> {
    try {
      while (queued.access.length + queued.authorization.length > 0) {
        const { access, authorization } = queued;
        queued = emptyQueue();
        await push('authorization', authorization);
        await push('access', access);
        await pause(BATCH_INTERVAL, signal);
      }
    } catch (error) {
      failure ??= error instanceof Error ? error : new Error(messageOf(error));
    } finally {
      sending = undefined;
    }
  }

  return {
    ship(stream, event) {
      queued[stream].push(event);
      sending ??= pause(BATCH_INTERVAL, signal).then(sendAll);
    },
    push,
    async flush() {
      while (sending !== undefined) await sending;
      if (failure !== undefined) throw failure;
    },
    async close() {
      closing.abort();
      await posting;
    },
  };
}

const emptyQueue = (): Record<Stream, Record<string, unknown>[]> => ({ access: [], authorization: [] });

/** Posts once; null where all lines were taken. */
async function post(
  url: string,
  credential: Secret,
  body: string,
): Promise<{ retry: boolean; reason: string } | null> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${credential.reveal()}`, 'content-type': 'application/x-ndjson' },
      body,
      signal: AbortSignal.timeout(REQUEST_TIMEOUT),
    });
    const answer = await response.text();
    if (response.ok) return null;
    return {
      retry: response.status >= 500 || response.status === 429,
      reason: `${response.status} ${answer}`,
    };
  } catch (error) {
    return { retry: true, reason: messageOf(error) };
  }
}
