import { ClickHouseError } from '@clickhouse/client';
import { RecallError, messageOf } from '../errors.ts';

/**
 * Error codes of ClickHouse that say nothing against the rows or the query: the same request may succeed later.
 * Names as in ClickHouse's ErrorCodes.cpp (`SELECT * FROM system.errors`).
 */
const TRANSIENT = new Set([
  '3', // UNEXPECTED_END_OF_FILE: the connection ended in the middle of the rows
  '23', // CANNOT_READ_FROM_ISTREAM
  '24', // CANNOT_WRITE_TO_OSTREAM
  '74', // CANNOT_READ_FROM_FILE_DESCRIPTOR
  '75', // CANNOT_WRITE_TO_FILE_DESCRIPTOR
  '76', // CANNOT_OPEN_FILE
  '95', // CANNOT_READ_FROM_SOCKET
  '96', // CANNOT_WRITE_TO_SOCKET
  '159', // TIMEOUT_EXCEEDED
  '160', // TOO_SLOW
  '173', // CANNOT_ALLOCATE_MEMORY
  '198', // DNS_ERROR
  '201', // QUOTA_EXCEEDED
  '202', // TOO_MANY_SIMULTANEOUS_QUERIES
  '203', // NO_FREE_CONNECTION
  '209', // SOCKET_TIMEOUT
  '210', // NETWORK_ERROR
  '225', // NO_ZOOKEEPER
  '236', // ABORTED
  '241', // MEMORY_LIMIT_EXCEEDED
  '242', // TABLE_IS_READ_ONLY
  '243', // NOT_ENOUGH_SPACE
  '252', // TOO_MANY_PARTS
  '254', // NO_ACTIVE_REPLICAS
  '279', // ALL_CONNECTION_TRIES_FAILED
  '285', // TOO_FEW_LIVE_REPLICAS
  '286', // UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
  '289', // REPLICA_IS_NOT_IN_QUORUM
  '298', // CANNOT_PIPE
  '299', // CANNOT_FORK
  '319', // UNKNOWN_STATUS_OF_INSERT
  '373', // SESSION_IS_LOCKED
  '394', // QUERY_WAS_CANCELLED
  '410', // EXTERNAL_SERVER_IS_NOT_RESPONDING
  '415', // ALL_REPLICAS_LOST
  '439', // CANNOT_SCHEDULE_TASK
  '473', // DEADLOCK_AVOIDED
  '499', // S3_ERROR
  '519', // NO_REMOTE_SHARD_AVAILABLE
  '574', // DISTRIBUTED_TOO_MANY_PENDING_BYTES
  '692', // TOO_MANY_MUTATIONS
  '735', // QUERY_WAS_CANCELLED_BY_CLIENT
  '745', // SERVER_OVERLOADED
  '999', // KEEPER_EXCEPTION
]);

const MOST_OF_A_MESSAGE = 600;

/**
 * What a request to ClickHouse failed of. What the server itself refused, by a code that is not transient, is
 * ERR_STORE_REFUSED; everything else (no connection, timeout, an answer that is not ClickHouse's) may pass.
 */
export function storeError(error: unknown, address: string): RecallError {
  if (error instanceof RecallError) return error;
  // ClickHouse's messages may quote long texts; the beginning is what people need.
  const message = messageOf(error).replaceAll(/\s+/g, ' ').trim().slice(0, MOST_OF_A_MESSAGE);
  if (!(error instanceof ClickHouseError)) {
    return new RecallError(
      'ERR_STORE_UNAVAILABLE',
      `ClickHouse at ${address} cannot be reached: ${message}`,
      {
        cause: error,
      },
    );
  }
  const what = `${message} (${error.type ?? 'code'} ${error.code})`;
  return TRANSIENT.has(error.code)
    ? new RecallError('ERR_STORE_UNAVAILABLE', `ClickHouse at ${address} cannot now: ${what}`, {
        cause: error,
      })
    : new RecallError('ERR_STORE_REFUSED', `ClickHouse at ${address} refuses: ${what}`, { cause: error });
}
