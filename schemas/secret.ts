import { z } from 'zod';

const REDACTED = '[redacted]';

/** A value that prints, logs and serialises as `[redacted]`; only {@link Secret.reveal} gives it. */
export interface Secret {
  /** The value itself. Call it where the value leaves the process, nowhere earlier. */
  reveal(): string;
  toString(): string;
  toJSON(): string;
}

/** Wraps `value` so that no log line, error or JSON answer can carry it by accident. */
export function secret(value: string): Secret {
  const wrapped = {
    reveal: () => value,
    toString: () => REDACTED,
    toJSON: () => REDACTED,
    // What console.log and util.inspect ask.
    [Symbol.for('nodejs.util.inspect.custom')]: () => REDACTED,
  };
  return wrapped;
}

/** A configured secret: text in, {@link Secret} out. */
export const secretText = z.string().min(1).transform(secret);
