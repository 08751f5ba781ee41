import type { Action } from '../../schemas/action.ts';

/** What came of one attempt at an action. A fault worth another try is thrown, not returned. */
export interface Receipt {
  state: 'accepted' | 'confirmed' | 'failed';
  /** In words, without the token. */
  detail: string;
}

/** The queue an action stands in: one a server, so that a slow server holds up nobody else. */
export interface Lane {
  readonly name: string;
  /** How many of its actions may be under way at once. */
  readonly concurrency: number;
}

/** Carries actions out at one kind of server. */
export interface Responder {
  readonly kind: string;
  laneOf(action: Action): Lane;
  /**
   * Attempts `action` once. Asking twice for the same action must do no harm.
   *
   * @throws RecallError ERR_RESPONDER_UNAVAILABLE (retry, after `retryAfter` where given),
   *   ERR_RESPONDER_REFUSED (never will be taken) or ERR_CUSTODY_OPEN
   */
  execute(action: Action, signal: AbortSignal): Promise<Receipt>;
}
