import type { Alert } from '../../../schemas/alert.ts';
import type { AlertSink } from '../../../src/alerts/port.ts';
import { alertOf } from './alert.ts';

/** A sink that holds each delivery until it is let go, and fails when told to. */
export function gatedSink(name = 'gated') {
  const sent: Alert[] = [];
  let arrived: (() => void) | undefined;
  let gate: ((error?: Error) => void) | undefined;
  let closed = 0;
  const sink: AlertSink = {
    name,
    address: name,
    send: (alert, signal) =>
      new Promise((resolve, reject) => {
        gate = (error) => {
          if (error) {
            reject(error);
            return;
          }
          sent.push(alert);
          resolve();
        };
        signal.addEventListener('abort', () => reject(new Error('aborted')));
        arrived?.();
      }),
    close: () => {
      closed += 1;
      return Promise.resolve();
    },
  };
  return {
    sink,
    sent,
    closed: () => closed,
    /** Resolves when a delivery is under way, with what ends it. */
    async underWay(): Promise<(error?: Error) => void> {
      if (gate === undefined) await new Promise<void>((resolve) => (arrived = resolve));
      arrived = undefined;
      const take = gate!;
      gate = undefined;
      return take;
    },
  };
}

/** A sink that takes everything at once. */
export function openSink(name = 'open') {
  const sent: Alert[] = [];
  const sink: AlertSink = {
    name,
    address: name,
    send: (alert) => Promise.resolve(void sent.push(alert)),
    close: () => Promise.resolve(),
  };
  return { sink, sent };
}

/** Version `version` of alert `id`. */
export const numbered = (id: number, version = 1, change: Partial<Alert> = {}) =>
  alertOf({ alert_id: `alert-${id}`, version, partition: 'p', ...change });

/** The same, of which policy makes no more than a record. */
export const recorded = (id: number, version = 1) =>
  numbered(id, version, { decision: { ...alertOf().decision, action: 'record' } });

/** `id.version` of each. */
export const names = (alerts: readonly Pick<Alert, 'alert_id' | 'version'>[]) =>
  alerts.map(({ alert_id, version }) => `${alert_id.replace('alert-', '')}.${version}`);
