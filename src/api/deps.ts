import type { Action } from '../../schemas/action.ts';
import type { ApiConfig } from '../../schemas/config.ts';
import type { AnyDetector } from '../detection/contract.ts';
import type { HttpSource } from '../sources/http.ts';
import type { DeadLetterFilter } from '../store/dead-letters.ts';
import type { Store } from '../store/port.ts';
import type { Reads } from '../store/reads.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { ApiCredential } from './credentials.ts';

/** How the worker and its parts are. */
export interface HealthReport {
  /** Whether the worker takes and handles events. */
  ready: boolean;
  /** By name of the part; `detail` is for people and carries no secret. */
  components: Record<string, { ok: boolean; detail: string }>;
}

/** A recall asked for by a person. */
export interface RecallRequest {
  handle: 'token';
  /** Hash or jti of the token. */
  value: string;
  reason: string;
  /** The alert it answers. */
  alert_id?: string | undefined;
}

/** Which dead letters are to be handed over again, and how. */
export interface RedriveRequest extends Pick<DeadLetterFilter, 'ids' | 'source' | 'code' | 'since'> {
  /** Also those that were handed over before. */
  again?: boolean | undefined;
  /** Only look which would be events now. */
  dry_run?: boolean | undefined;
  /** Most letters to look at; absent: all. */
  limit?: number | undefined;
}

/**
 * What became of one letter. accepted: it is an event now; refused: it decodes here, but the worker set it aside anew;
 * decodes: it would be handed over (dry run); undecodable: it is still no event; no_original: there are no bytes to
 * decode.
 */
export type RedriveOutcome = 'accepted' | 'refused' | 'decodes' | 'undecodable' | 'no_original';

export interface RedriveReport {
  dry_run: boolean;
  /** Letters looked at. */
  examined: number;
  /** How many of them came to what. */
  outcomes: Record<RedriveOutcome, number>;
  /** Whether `limit` left some unseen. */
  more: boolean;
  /** Oldest first. */
  letters: { dead_letter_id: string; outcome: RedriveOutcome; detail: string }[];
}

/** What the API stands on. */
export interface ApiDeps {
  config: ApiConfig;
  credentials: readonly ApiCredential[];
  store: Store;
  reads: Reads;
  http: HttpSource;
  detectors: readonly AnyDetector[];
  metrics: Metrics;
  health(): HealthReport;
  /**
   * Makes the action durable, audited under `actor`, and submits it; resolves with it.
   *
   * @throws RecallError ERR_STORE_UNAVAILABLE; ERR_RESPONDER_REFUSED, naming what is missing to carry it out
   */
  requestRecall(input: RecallRequest, actor: string): Promise<Action>;
  /**
   * Hands dead letters over again, marked and audited under `actor`.
   *
   * @throws RecallError ERR_STORE_UNAVAILABLE; ERR_SOURCE_UNAVAILABLE where events are not taken now
   */
  redrive(request: RedriveRequest, actor: string): Promise<RedriveReport>;
  log: Logger;
}
