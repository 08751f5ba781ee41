import type { Action } from '../../schemas/action.ts';
import type { ApiConfig } from '../../schemas/config.ts';
import type { AnyDetector } from '../detection/contract.ts';
import type { HttpSource } from '../sources/http.ts';
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
  log: Logger;
}
