import { pino, type Logger as PinoLogger } from 'pino';
import type { Config } from '../../schemas/config.ts';

export type Logger = PinoLogger;

/**
 * A JSON logger on stderr; stdout belongs to what a program may read.
 * Fields whose names are those of secrets are redacted, should one ever be handed over.
 */
export function createLogger(level: Config['log_level']): Logger {
  const names = ['token', 'authorization', 'password', 'client_secret', 'private_key', 'assertion'];
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: names.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[redacted]' },
    },
    pino.destination({ dest: 2, sync: true }),
  );
}
