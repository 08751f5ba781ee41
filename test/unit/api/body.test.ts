import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { readBody } from '../../../src/api/body.ts';

it.each(['identity', 'gzip'])('ends when the client goes away in the middle of %s', async (coding) => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const body = coding === 'gzip' ? gzipSync('a record') : Buffer.from('a record');
  const arrived = once(server, 'request') as Promise<[IncomingMessage]>;
  const client = httpRequest({
    port: (server.address() as AddressInfo).port,
    method: 'POST',
    headers: { 'content-encoding': coding, 'content-length': body.byteLength },
  });
  client.on('error', () => undefined);
  client.write(body.subarray(0, -1));
  const [incoming] = await arrived;
  const reading = readBody(incoming, 1024);
  client.destroy();
  await expect(reading).rejects.toMatchObject({ status: 400, code: 'invalid_body' });
  server.close();
});
