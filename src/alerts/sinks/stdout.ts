import type { Writable } from 'node:stream';
import { messageOf, RecallError } from '../../errors.ts';
import type { AlertEncoder } from '../encode.ts';
import type { AlertSink } from '../port.ts';

/**
 * Writes each alert as a line of JSON. Resolves when the line has left the process, so a slow reader slows
 * the sender and nothing piles up. A reader that went away (EPIPE) is final: it does not come back.
 *
 * @param output default: the standard output, which nothing else of the product writes to while it runs
 */
export function createStdoutSink(encode: AlertEncoder, output: Writable = process.stdout): AlertSink {
  // A write to a closed pipe also raises an event, and one that nobody hears ends the process.
  const heard = () => undefined;
  output.on('error', heard);
  return {
    name: 'stdout',
    address: '',
    send: (alert) =>
      new Promise((resolve, reject) => {
        if (output.destroyed || !output.writable) {
          reject(new RecallError('ERR_SINK_REFUSED', 'standard output is closed'));
          return;
        }
        output.write(`${encode(alert)}\n`, (error) => {
          if (!error) resolve();
          else
            reject(
              new RecallError('ERR_SINK_REFUSED', `standard output: ${messageOf(error)}`, { cause: error }),
            );
        });
      }),
    close: () => {
      output.off('error', heard);
      return Promise.resolve();
    },
  };
}
