import { detectors } from '../../detectors/registry.ts';
import type { AlertSinkConfig } from '../../schemas/config-sinks.ts';
import { version } from '../package.ts';
import type { Logger } from '../telemetry/log.ts';
import { alertEncoder } from './encode.ts';
import type { AlertSink } from './port.ts';
import { createKafkaSink } from './sinks/kafka.ts';
import { createStdoutSink } from './sinks/stdout.ts';
import { createWebhookSink } from './sinks/webhook.ts';

/**
 * Creates the sink that `config` describes. Connects to nothing before the first alert.
 *
 * @param deps.publicUrl address of the API, where links to runbooks start; empty where there is no API
 */
export function createAlertSink(
  config: AlertSinkConfig,
  deps: { log: Logger; publicUrl: string },
): AlertSink {
  const encode = alertEncoder(config.format, {
    publicUrl: deps.publicUrl === '' ? undefined : deps.publicUrl,
    productVersion: version(),
    detectors,
  });
  switch (config.kind) {
    case 'webhook':
      return createWebhookSink(config, encode);
    case 'kafka':
      return createKafkaSink(config, encode, deps.log);
    case 'stdout':
      return createStdoutSink(encode);
  }
}
