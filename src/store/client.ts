import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { createClient, type ClickHouseSettings } from '@clickhouse/client';
import { RecallError } from '../errors.ts';
import { storeError } from './failure.ts';

export interface Connection {
  /** HTTP(S) URL. */
  url: string;
  username: string;
  password: string;
  /** Database of unqualified names; it need not exist before the first query that uses it. */
  database?: string | undefined;
  /** Settings of every request, unless it brings its own. */
  settings?: ClickHouseSettings | undefined;
  /** How long a server may be silent before a request is given up, in milliseconds. Default: 60 s. */
  requestTimeout?: number | undefined;
}

/** One ClickHouse over HTTP. Everything it throws is a RecallError: ERR_STORE_UNAVAILABLE or ERR_STORE_REFUSED. */
export interface ClickHouse {
  /** The URL without credentials, for people. */
  readonly address: string;
  /** Runs a query; `params` fill `{name:Type}` placeholders. Rows as JSON objects, 64-bit integers as numbers, times as ISO 8601 text. */
  query<T>(sql: string, params?: Record<string, unknown>): Promise<T[]>;
  /** Runs a statement that has no rows to give. */
  command(sql: string, settings?: ClickHouseSettings): Promise<void>;
  /**
   * Runs an `INSERT … FORMAT …` statement with the bytes of its rows; resolves when they are acknowledged.
   *
   * @returns how many rows ClickHouse says it wrote: 0 where a condition in the statement let none pass. Rows that it
   *   derived (materialized views) and forwarded (Distributed tables) are counted besides
   */
  insert(statement: string, rows: readonly Uint8Array[], settings: ClickHouseSettings): Promise<number>;
  /** Runs a query with a FORMAT clause of its own, or none (`format`); the bytes of the answer as they come. */
  stream(sql: string, format: string): Promise<AsyncIterable<Uint8Array>>;
  /**
   * Resolves when a trivial query is answered.
   *
   * @throws RecallError ERR_STORE_UNAVAILABLE, also where the answer takes more than 3 s: the request is given up then
   */
  ping(): Promise<void>;
  /** Gives up requests under way, which fail with ERR_STORE_UNAVAILABLE, and closes the connections. */
  close(): Promise<void>;
}

const REQUEST_TIMEOUT_MS = 60_000;
const PING_TIMEOUT_MS = 3_000;

/** Connects to a ClickHouse server. No request is made yet. */
export function createClickHouse(connection: Connection): ClickHouse {
  const { url: given, username, password, database } = connection;
  const parsed = new URL(given);
  const address = `${parsed.protocol}//${parsed.host}`;
  const client = createClient({
    url: given,
    username,
    password,
    ...(database === undefined ? {} : { database }),
    application: 'token-recall',
    request_timeout: connection.requestTimeout ?? REQUEST_TIMEOUT_MS,
    ...(connection.settings === undefined ? {} : { clickhouse_settings: connection.settings }),
    max_open_connections: 10,
    // Its own logger would print queries; errors reach the caller anyway.
    log: { level: 127 },
  });
  // One a request: the client never takes its listener off a signal that outlives the request.
  const underWay = new Set<AbortController>();
  let closed = false;

  async function attempt<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const request = new AbortController();
    underWay.add(request);
    try {
      if (closed) throw new Error('the connection was closed');
      return await work(request.signal);
    } catch (error) {
      throw storeError(request.signal.aborted ? new Error('the request was given up') : error, address);
    } finally {
      underWay.delete(request);
    }
  }

  return {
    address,
    query: <T>(sql: string, params: Record<string, unknown> = {}) =>
      attempt(async (signal) => {
        const answer = await client.query({
          query: sql,
          abort_signal: signal,
          query_params: params,
          format: 'JSONEachRow',
          // An error halfway becomes a status instead of a torn body.
          clickhouse_settings: {
            wait_end_of_query: 1,
            output_format_json_quote_64bit_integers: 0,
            date_time_output_format: 'iso',
          },
        });
        return await answer.json<T>();
      }),
    command: (sql, settings = {}) =>
      attempt(async (signal) => {
        await client.command({ query: sql, clickhouse_settings: settings, abort_signal: signal });
      }),
    insert: (statement, rows, settings) =>
      attempt(async (signal) => {
        const { stream, summary } = await client.exec({
          query: statement,
          values: Readable.from(rows, { objectMode: false }),
          // The summary comes in the header, which is complete only when the rows are written.
          clickhouse_settings: { ...settings, wait_end_of_query: 1 },
          abort_signal: signal,
        });
        // The socket is free for the next request once the (empty) answer is consumed.
        stream.resume();
        await finished(stream);
        if (summary === undefined) throw new Error('its answer lacks the header X-ClickHouse-Summary');
        return Number(summary.written_rows);
      }),
    stream: (sql, format) =>
      attempt(async () => {
        // Any format of the server may be asked for, not just those the client can parse.
        const clickhouse_settings = { default_format: format } as ClickHouseSettings;
        const { stream } = await client.exec({ query: sql, clickhouse_settings });
        return (async function* () {
          try {
            for await (const chunk of stream) if (chunk instanceof Uint8Array) yield chunk;
          } catch (error) {
            throw storeError(error, address);
          }
        })();
      }),
    ping: () =>
      attempt(async (closing) => {
        const late = AbortSignal.timeout(PING_TIMEOUT_MS);
        const signal = AbortSignal.any([late, closing]);
        try {
          const answer = await client.query({
            query: 'SELECT 1',
            format: 'JSONEachRow',
            abort_signal: signal,
          });
          await answer.json();
        } catch (error) {
          if (!late.aborted) throw error;
          const seconds = PING_TIMEOUT_MS / 1000;
          throw new RecallError(
            'ERR_STORE_UNAVAILABLE',
            `ClickHouse at ${address}: no answer for ${seconds} s`,
          );
        }
      }),
    async close() {
      closed = true;
      for (const request of underWay) request.abort();
      await client.close();
    },
  };
}
