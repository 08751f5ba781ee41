import { createServer } from 'node:net';
import { RecallError } from '../../errors.ts';

function tryListen(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port));
    });
  });
}

/**
 * A port on loopback: `wanted`, or a free one where that is 0.
 *
 * @throws RecallError ERR_STORE_EMBEDDED where it cannot be listened on
 */
export async function loopbackPort(wanted: number, option: 'http_port' | 'tcp_port'): Promise<number> {
  try {
    return await tryListen(wanted);
  } catch (error) {
    throw new RecallError(
      'ERR_STORE_EMBEDDED',
      `the embedded ClickHouse cannot listen on 127.0.0.1:${wanted}: the port is in use or not allowed. ` +
        `Set store.${option} to another one, or to 0 for a free one`,
      { cause: error },
    );
  }
}
