import type { Alert } from '../../schemas/alert.ts';
import type { AlertSinkConfig } from '../../schemas/config-sinks.ts';
import { toAlertLine } from './line.ts';
import { toOcsf, type OcsfContext } from './ocsf.ts';

/** Writes an alert as one line of JSON, without a line end. */
export type AlertEncoder = (alert: Alert) => string;

/** The encoder of a sink's configured `format`. */
export function alertEncoder(format: AlertSinkConfig['format'], context: OcsfContext): AlertEncoder {
  switch (format) {
    case 'native':
      return (alert) => JSON.stringify(toAlertLine(alert, context.publicUrl));
    case 'ocsf':
      return (alert) => JSON.stringify(toOcsf(alert, context));
  }
}
