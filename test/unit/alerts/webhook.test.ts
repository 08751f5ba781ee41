import { execFileSync } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { WebhookSinkConfig } from '../../../schemas/config-sinks.ts';
import { secret } from '../../../schemas/secret.ts';
import { createWebhookSink } from '../../../src/alerts/sinks/webhook.ts';
import { alertOf } from './alert.ts';
import { startReceiver, type Answer, type Delivery } from './receiver.ts';

const key = randomBytes(32).toString('hex');
const encode = (alert: { alert_id: string }) => JSON.stringify({ alert_id: alert.alert_id, text: 'Zürich' });
const never = new AbortController().signal;
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start(answers: Answer[] = [], config: Partial<WebhookSinkConfig> = {}) {
  const receiver = await startReceiver(answers);
  closers.push(() => receiver.close());
  const sink = createWebhookSink(
    { kind: 'webhook', url: receiver.url, secret: secret(key), timeout: 5000, format: 'native', ...config },
    encode,
  );
  closers.push(() => sink.close());
  return { receiver, sink };
}

describe('webhook sink', () => {
  it('posts the alert as JSON, named by id and version', async () => {
    const { receiver, sink } = await start();
    await sink.send(alertOf(), never);
    const { method, headers, body } = receiver.deliveries[0]!;
    expect(method).toBe('POST');
    expect(headers['content-type']).toBe('application/json');
    expect(headers['idempotency-key']).toBe(`alert-1.${alertOf().version}`);
    expect(JSON.parse(body)).toEqual({ alert_id: 'alert-1', text: 'Zürich' });
  });

  it('signs timestamp and body so that the receiver can verify both', async () => {
    const { receiver, sink } = await start();
    await sink.send(alertOf(), never);
    const { headers, body } = receiver.deliveries[0]!;
    const timestamp = String(headers['x-token-recall-timestamp']);
    const expected = createHmac('sha256', key).update(`${timestamp}.${body}`).digest('hex');
    expect(headers['x-token-recall-signature']).toBe(`v1=${expected}`);
    expect(Math.abs(Number(timestamp) - Date.now() / 1000)).toBeLessThan(60);
  });

  it('is verified by the samples of docs/webhooks.md, which refuse a changed body', async () => {
    const { receiver, sink } = await start();
    await sink.send(alertOf(), never);
    const genuine = receiver.deliveries[0]!;
    const forged = { ...genuine, body: genuine.body.replace('alert-1', 'alert-2') };
    expect(await nodeSample(genuine)).toBe(true);
    expect(await nodeSample(forged)).toBe(false);
    expect(shellSample(genuine)).toBe('genuine\n');
    expect(shellSample(forged)).toBe('');
  });

  it.each([
    [{ status: 503, headers: { 'retry-after': '7' } }, 'ERR_SINK_UNAVAILABLE', 7000],
    [{ status: 429 }, 'ERR_SINK_UNAVAILABLE', undefined],
    [{ status: 500 }, 'ERR_SINK_UNAVAILABLE', undefined],
    [{ status: 400 }, 'ERR_SINK_REFUSED', undefined],
    [{ status: 404 }, 'ERR_SINK_REFUSED', undefined],
  ])('takes %o for %s', async (answer, code, wait) => {
    const { sink } = await start([answer]);
    await expect(sink.send(alertOf(), never)).rejects.toMatchObject({ code, retryAfter: wait });
  });

  it('does not follow a redirect', async () => {
    const other = await startReceiver();
    closers.push(() => other.close());
    const { sink } = await start([{ status: 307, headers: { location: other.url } }]);
    await expect(sink.send(alertOf(), never)).rejects.toMatchObject({ code: 'ERR_SINK_REFUSED' });
    expect(other.deliveries).toEqual([]);
  });

  it('takes a receiver that never answers for away', async () => {
    const { sink } = await start([{ status: 0 }], { timeout: 50 });
    await expect(sink.send(alertOf(), never)).rejects.toMatchObject({ code: 'ERR_SINK_UNAVAILABLE' });
  });

  it('takes a receiver that is not there for away', async () => {
    const gone = await startReceiver();
    await gone.close();
    const { sink } = await start([], { url: gone.url });
    await expect(sink.send(alertOf(), never)).rejects.toMatchObject({ code: 'ERR_SINK_UNAVAILABLE' });
  });

  it('keeps path and query of its address, which may hold a key, out of its name and errors', async () => {
    const { receiver } = await start([{ status: 400 }]);
    const { sink } = await start([], { url: `${receiver.url}?key=${key}` });
    const error = await sink.send(alertOf(), never).catch((thrown: unknown) => thrown);
    expect(`${sink.name} ${String(error)}`).not.toContain(key);
  });
});

function sample(language: string): string {
  const page = readFileSync('docs/webhooks.md', 'utf8');
  const code = new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(page)?.[1];
  if (code === undefined) throw new Error(`docs/webhooks.md has no ${language} sample`);
  return code;
}

async function nodeSample({ headers, body }: Delivery): Promise<boolean> {
  const url = `data:text/javascript,${encodeURIComponent(sample('js'))}`;
  const module = (await import(/* @vite-ignore */ url)) as {
    verifySignature(secret: string, headers: unknown, body: string): boolean;
  };
  return module.verifySignature(key, headers, body);
}

function shellSample({ headers, body }: Delivery): string {
  const folder = mkdtempSync(join(tmpdir(), 'webhook-'));
  try {
    writeFileSync(join(folder, 'body.json'), body);
    const env = {
      PATH: process.env.PATH,
      SECRET: key,
      TIMESTAMP: String(headers['x-token-recall-timestamp']),
      SIGNATURE: String(headers['x-token-recall-signature']),
    };
    const script = `${sample('sh')}\ntrue`;
    return execFileSync('sh', ['-c', script], { cwd: folder, env, encoding: 'utf8' });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
