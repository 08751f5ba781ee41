import { once } from 'node:events';
import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';

/**
 * A proxy in front of the first of several ClickHouse servers that carries out `ON CLUSTER` statements on each of
 * them. It stands in for ClickHouse's DDL queue, which needs Keeper; all else goes to the first as it is.
 */
export async function startDdlQueue(servers: readonly string[], cluster: string) {
  const marker = ` ON CLUSTER '${cluster}'`;
  const queued: string[] = [];
  const ask = async (
    server: string,
    path: string,
    headers: Headers,
    body: string | Uint8Array<ArrayBuffer>,
  ) => {
    const answer = await fetch(`${server}${path}`, { method: 'POST', headers, body });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, text };
  };
  const proxy = createServer((request, response) => {
    void (async () => {
      const bytes = await buffer(request);
      const statement = bytes.toString();
      const forAll = statement.includes(marker);
      if (forAll) queued.push(statement);
      const headers = new Headers();
      for (const [name, value] of Object.entries(request.headers))
        if (typeof value === 'string' && !/^(host|connection|content-length|transfer-encoding)$/.test(name))
          headers.set(name, value);
      let answer = { status: 500, headers: new Headers(), text: '' };
      for (const server of forAll ? servers : servers.slice(0, 1)) {
        const body = forAll ? statement.replace(marker, '') : new Uint8Array(bytes);
        answer = await ask(server, request.url ?? '/', headers, body);
        if (answer.status !== 200) break;
      }
      const kept = [...answer.headers].filter(([name]) => /^(content-type$|x-clickhouse-)/.test(name));
      response.writeHead(answer.status, Object.fromEntries(kept)).end(answer.text);
    })().catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const address = proxy.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    /** The statements that were for all servers. */
    queued,
    async stop() {
      proxy.closeAllConnections();
      proxy.close();
      await once(proxy, 'close');
    },
  };
}
