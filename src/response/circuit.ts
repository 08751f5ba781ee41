import {
  circuitBreaker,
  CircuitState,
  ConsecutiveBreaker,
  handleWhen,
  isBrokenCircuitError,
} from 'cockatiel';
import { grantedWait } from '../backoff.ts';
import { isRecallError, messageOf, RecallError } from '../errors.ts';

export interface CircuitOptions {
  /** Failures in a row that open it. */
  failures: number;
  /** How long it stays open before one request tries the server again, in milliseconds. */
  pause: number;
}

/**
 * Leaves a server alone that does not answer. Only ERR_RESPONDER_UNAVAILABLE is a failure: a server that refuses has
 * answered. Open, it lets nothing through; when the pause is over it is half-open, and one request decides.
 */
export interface Circuit {
  /**
   * Makes a request, unless the circuit is open.
   *
   * @throws RecallError ERR_RESPONDER_UNAVAILABLE, with the rest of the pause as `retryAfter`, where nothing was asked;
   *   else what `request` throws
   */
  run<T>(request: () => Promise<T>): Promise<T>;
  state(): 'closed' | 'open' | 'half-open';
  /** For how long nothing is to be asked: the rest of the pause or of a Retry-After, in milliseconds; else 0. */
  holdFor(): number;
  /** What the last failure said, until the server answers again. */
  lastFailure(): string | undefined;
}

const NAMES = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.Open]: 'open',
  [CircuitState.HalfOpen]: 'half-open',
  // Held open by hand, which nobody does.
  [CircuitState.Isolated]: 'open',
} as const;

const isAway = (error: unknown): error is RecallError => isRecallError(error, 'ERR_RESPONDER_UNAVAILABLE');

/** @param server whom it leaves alone, for the error */
export function createCircuit(server: string, { failures, pause }: CircuitOptions): Circuit {
  const breaker = circuitBreaker(handleWhen(isAway), {
    breaker: new ConsecutiveBreaker(failures),
    halfOpenAfter: pause,
  });
  /** When the pause is over, and when the wait that the server asked for; epoch milliseconds. */
  let pausedUntil = 0;
  let askedUntil = 0;
  let failure: string | undefined;
  breaker.onBreak(() => {
    pausedUntil = Date.now() + pause;
  });

  /** Resolves with the answer, also where that is a refusal; rejects where there is none. */
  async function anyAnswer<T>(request: () => Promise<T>): Promise<{ answer: Promise<T> }> {
    const answer = request();
    try {
      await answer;
    } catch (error) {
      if (isAway(error)) {
        failure = messageOf(error);
        askedUntil = Math.max(askedUntil, Date.now() + grantedWait(error.retryAfter));
        throw error;
      }
    }
    failure = undefined;
    return { answer };
  }

  const holdFor = () => {
    const paused = breaker.state === CircuitState.Open ? pausedUntil : 0;
    return Math.max(0, paused - Date.now(), askedUntil - Date.now());
  };

  return {
    async run(request) {
      try {
        return await (
          await breaker.execute(() => anyAnswer(request))
        ).answer;
      } catch (error) {
        if (!isBrokenCircuitError(error)) throw error;
        throw new RecallError(
          'ERR_RESPONDER_UNAVAILABLE',
          `${server} is left alone after ${failures} failures in a row: ${failure ?? 'no answer'}`,
          { retryAfter: holdFor() },
        );
      }
    },
    state: () => NAMES[breaker.state],
    holdFor,
    lastFailure: () => failure,
  };
}
