import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Delivery {
  method: string | undefined;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface Answer {
  /** 0: never answers. */
  status: number;
  headers?: Record<string, string>;
}

/** A real HTTP receiver of webhooks on a free port; answers from `answers` in turn, then 204. */
export async function startReceiver(answers: Answer[] = []) {
  const deliveries: Delivery[] = [];
  const waiting: (() => void)[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method, headers } = request;
      deliveries.push({ method, headers, body: Buffer.concat(chunks).toString() });
      const { status, headers: answer } = answers.shift() ?? { status: 204 };
      if (status !== 0) response.writeHead(status, answer).end();
      for (const wake of waiting.splice(0)) wake();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    deliveries,
    /** Resolves when `count` deliveries have come. */
    async received(count: number): Promise<void> {
      while (deliveries.length < count) await new Promise<void>((resolve) => waiting.push(resolve));
    },
    async close(): Promise<void> {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
