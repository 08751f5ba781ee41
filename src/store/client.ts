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
}

/** One ClickHouse over HTTP. Everything it throws is a RecallError: ERR_STORE_UNAVAILABLE or ERR_STORE_REFUSED. */
export interface ClickHouse {
  /** The URL without credentials, for people. */
  readonly address: string;
  /** Runs a query; `params` fill `{name:Type}` placeholders. Rows as JSON objects, 64-bit integers as numbers, times as ISO 8601 text. */
  query<T>(sql: string, params?: Record<string, unknown>): Promise<T[]>;
  /** Runs a statement that has no rows to give. */
  command(sql: string, settings?: ClickHouseSettings): Promise<void>;
  /** Runs an `INSERT … FORMAT …` statement with the bytes of its rows; resolves when they are acknowledged. */
  insert(statement: string, rows: readonly Uint8Array[], settings: ClickHouseSettings): Promise<void>;
  /** Runs a query with a FORMAT clause of its own, or none (`format`); the bytes of the answer as they come. */
  stream(sql: string, format: string): Promise<AsyncIterable<Uint8Array>>;
  /**
   * Resolves when a trivial query is answered.
   *
   * @throws RecallError ERR_STORE_UNAVAILABLE, also where the answer takes more than 3 s: the request is given up then
   */
  ping(): Promise<void>;
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
    request_timeout: REQUEST_TIMEOUT_MS,
    max_open_connections: 10,
    // Its own logger would print queries; errors reach the caller anyway.
    log: { level: 127 },
  });
  const attempt = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw storeError(error, address);
    }
  };

  return {
    address,
    query: <T>(sql: string, params: Record<string, unknown> = {}) =>
      attempt(async () => {
        const answer = await client.query({
          query: sql,
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
      attempt(async () => {
        await client.command({ query: sql, clickhouse_settings: settings });
      }),
    insert: (statement, rows, settings) =>
      attempt(async () => {
        const { stream } = await client.exec({
          query: statement,
          values: Readable.from(rows, { objectMode: false }),
          clickhouse_settings: { ...settings, wait_end_of_query: 1 },
        });
        // The socket is free for the next request once the (empty) answer is consumed.
        stream.resume();
        await finished(stream);
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
      attempt(async () => {
        const signal = AbortSignal.timeout(PING_TIMEOUT_MS);
        try {
          const answer = await client.query({
            query: 'SELECT 1',
            format: 'JSONEachRow',
            abort_signal: signal,
          });
          await answer.json();
        } catch (error) {
          if (!signal.aborted) throw error;
          const seconds = PING_TIMEOUT_MS / 1000;
          throw new RecallError(
            'ERR_STORE_UNAVAILABLE',
            `ClickHouse at ${address}: no answer for ${seconds} s`,
          );
        }
      }),
    close: () => client.close(),
  };
}
