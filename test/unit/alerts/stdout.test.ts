import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Writable } from 'node:stream';
import { expect, it } from 'vitest';
import { createStdoutSink } from '../../../src/alerts/sinks/stdout.ts';
import { alertOf } from './alert.ts';

const signal = new AbortController().signal;
const encode = (alert: { alert_id: string }) => JSON.stringify({ alert_id: alert.alert_id });

it('writes a line an alert and resolves only when it has left', async () => {
  const written: string[] = [];
  let release: () => void = () => undefined;
  const output = new Writable({
    highWaterMark: 1,
    write(chunk: Buffer, _encoding, done) {
      written.push(chunk.toString());
      release = done;
    },
  });
  const sink = createStdoutSink(encode, output);
  let delivered = false;
  const sending = sink.send(alertOf(), signal).then(() => (delivered = true));
  expect(written).toEqual(['{"alert_id":"alert-1"}\n']);
  await Promise.resolve();
  expect(delivered).toBe(false);
  release();
  await sending;
});

/** A process that sends alerts to its standard output until one is refused, and tells how it went by its exit code. */
const SENDER = `
  import { createStdoutSink } from './src/alerts/sinks/stdout.ts';
  const sink = createStdoutSink((alert) => alert.alert_id);
  const signal = new AbortController().signal;
  let delivered = 0;
  const next = () => sink.send({ alert_id: 'alert-' + delivered }, signal).then(() => { delivered += 1; setImmediate(next); }, refused);
  const refused = (error) => {
    // Long enough for an error event that nobody hears to end the process.
    setImmediate(() => process.exit(error.code === 'ERR_SINK_REFUSED' && delivered > 0 ? 42 : 1));
  };
  next();
`;

it('refuses, and lets the process live, when the reader of a real pipe goes away', async () => {
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', SENDER], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  await once(child.stdout, 'data');
  child.stdout.destroy();
  expect(await exited).toEqual([42, null]);
}, 30_000);
