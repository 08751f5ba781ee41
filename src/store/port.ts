import type { Action } from '../../schemas/action.ts';
import type { EnrichedAccessEvent } from '../../schemas/access-event.ts';
import type { Alert, AlertStatus, Verdict } from '../../schemas/alert.ts';
import type { AuthorizationEvent } from '../../schemas/authorization-event.ts';
import type { DeadLetter } from '../../schemas/dead-letter.ts';
import type { Finding } from '../../schemas/finding.ts';

/** A sealed token in custody: what the ledger may keep of a raw token. */
export interface SealedToken {
  token_hash: string;
  iss?: string | undefined;
  sub?: string | undefined;
  client_id?: string | undefined;
  sid?: string | undefined;
  jti?: string | undefined;
  /** Nonce, ciphertext and tag, base64url. */
  sealed: string;
  /** When the row is dropped, epoch milliseconds: the expiry of the token. */
  expires_at: number;
  first_seen: number;
}

/** What an analyst said of an alert. */
export interface AlertReview {
  alert_id: string;
  at: number;
  actor: string;
  status: AlertStatus;
  verdict?: Verdict | undefined;
  note: string;
}

/** That a sink took, or refused, a version of an alert. */
export interface AlertDelivery {
  sink: string;
  alert_id: string;
  version: number;
  outcome: 'delivered' | 'refused';
  at: number;
}

/** That a dead letter was handed over again. */
export interface DeadLetterOutcome {
  dead_letter_id: string;
  at: number;
  actor: string;
  /** accepted: it is an event now; refused: the worker set it aside anew. */
  outcome: 'accepted' | 'refused';
  detail: string;
}

/** One line of the audit trail: who did what to what, and what came of it. */
export interface AuditEntry {
  at: number;
  actor: string;
  action: string;
  target: string;
  outcome: string;
  detail: string;
}

/** An event as stored: with the source it came from and when it arrived. */
export interface Arrival {
  source: string;
  position: string;
  received_at: number;
  /** True where it came later than the allowed lateness: stored, but held against nothing. */
  late?: boolean | undefined;
}

/** Rows that become durable together, as far as ClickHouse has a together: one insert a table. */
export interface StoreBatch {
  access_events?: readonly { event: EnrichedAccessEvent; arrival: Arrival }[];
  authorization_events?: readonly { event: AuthorizationEvent; arrival: Arrival }[];
  findings?: readonly Finding[];
  alerts?: readonly Alert[];
  actions?: readonly Action[];
  custody?: readonly SealedToken[];
  dead_letters?: readonly DeadLetter[];
  dead_letter_outcomes?: readonly DeadLetterOutcome[];
  /** Sinks that alerts are sent to from now on. */
  alert_sinks?: readonly { sink: string }[];
  deliveries?: readonly AlertDelivery[];
  reviews?: readonly AlertReview[];
  audit?: readonly AuditEntry[];
}

export interface WriteOptions {
  /** Whether the rows go out at once: somebody waits to act on them. */
  urgent?: boolean | undefined;
}

/** The one store: embedded, server or cluster. */
export interface Store {
  /**
   * Writes the rows and resolves when ClickHouse acknowledged all of them. Rows of concurrent calls share inserts, for
   * which they may wait `store.flush_interval`, unless they are `urgent`.
   *
   * @throws RecallError ERR_STORE_UNAVAILABLE (try again) or ERR_STORE_REFUSED (never will be taken)
   */
  write(batch: StoreBatch, options?: WriteOptions): Promise<void>;
  /**
   * Runs one INSERT statement with the bytes of its rows, as one block: all rows or none.
   *
   * @returns rows written: 0 where a condition in the statement let none pass; on a cluster they count more than once
   * @throws RecallError ERR_STORE_UNAVAILABLE, ERR_STORE_REFUSED
   */
  insert(statement: string, rows: readonly Uint8Array[]): Promise<number>;
  /** Runs a query as the writer; `params` fill `{name:Type}` placeholders. Rows as JSON objects. */
  query<T>(sql: string, params?: Record<string, unknown>): Promise<T[]>;
  /** Resolves when the server answers a trivial query; throws ERR_STORE_UNAVAILABLE otherwise. */
  ping(): Promise<void>;
  /**
   * Writes what waits, refuses what comes later, and closes the connections (and ends the embedded ClickHouse).
   * What `deadline` milliseconds did not suffice for fails with ERR_STORE_UNAVAILABLE; without it, closing takes as
   * long as writing does.
   */
  close(deadline?: number): Promise<void>;
}
