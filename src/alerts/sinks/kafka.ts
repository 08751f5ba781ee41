import type { KafkaSinkConfig } from '../../../schemas/config-sinks.ts';
import { createProducer } from '../../sources/kafka/client.ts';
import type { Logger } from '../../telemetry/log.ts';
import type { AlertEncoder } from '../encode.ts';
import type { AlertSink } from '../port.ts';

/**
 * Writes each alert to a topic, keyed by alert id: the versions of one alert stay in order, and a compacted
 * topic keeps the latest. The producer throws ERR_SINK_UNAVAILABLE and ERR_SINK_REFUSED itself.
 */
export function createKafkaSink(config: KafkaSinkConfig, encode: AlertEncoder, log: Logger): AlertSink {
  const producer = createProducer(config, log);
  const headers = { 'content-type': 'application/json', format: config.format };
  return {
    name: `kafka:${config.topic}`,
    address: `${config.brokers.toSorted().join(',')} ${config.format}`,
    send: (alert) => producer.send(config.topic, [{ key: alert.alert_id, value: encode(alert), headers }]),
    close: () => producer.close(),
  };
}
