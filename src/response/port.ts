import type { Action } from '../../schemas/action.ts';
import type { Circuit } from './circuit.ts';

/** What came of one attempt at an action. A fault worth another try is thrown, not returned. */
export interface Receipt {
  /** `moot`: the token expired before the server was asked. */
  state: 'accepted' | 'confirmed' | 'failed' | 'moot';
  /** In words, without the token. */
  detail: string;
}

/** An attempt under way: how to end it, and whom it tells what it does. */
export interface Attempt {
  readonly signal: AbortSignal;
  /** The token was seen active, before it is revoked; epoch milliseconds. */
  onSeenActive(at: number): void;
  /** The revocation is being sent. */
  onAsked(): void;
  /** The server took the revocation; the proof is still to come. */
  onTaken(): void;
}

/** Name of the lane of actions that no configured server can carry out: they end there at once. */
export const NOWHERE = 'none';

/** The queue an action stands in: one a server, so that a slow server holds up nobody else. */
export interface Lane {
  /** Issuer of the server, or {@link NOWHERE}. */
  readonly name: string;
  /** How many of its actions may be under way at once. */
  readonly concurrency: number;
  /** Whether the server takes revocations at present. */
  readonly circuit: Circuit;
}

/** Carries actions out at one kind of server. */
export interface Responder {
  readonly kind: string;
  readonly lanes: readonly Lane[];
  /** One of {@link lanes}. */
  laneOf(action: Action): Lane;
  /**
   * Attempts `action` once. Asking twice for the same action must do no harm.
   *
   * @throws RecallError ERR_RESPONDER_UNAVAILABLE (retry, after `retryAfter` where given; also where the circuit of its
   *   lane is open), ERR_RESPONDER_REFUSED (never will be taken), ERR_CUSTODY_OPEN, or ERR_STORE_UNAVAILABLE where the
   *   token is only in a store that is away
   */
  execute(action: Action, attempt: Attempt): Promise<Receipt>;
}
