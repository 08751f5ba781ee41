import type { Alert } from '../../../schemas/alert.ts';
import type { Deliveries } from '../../../src/alerts/deliveries.ts';
import type { AlertDelivery } from '../../../src/store/port.ts';

/** Deliveries and alerts in memory, with the meaning that the tables have. Each call ends in a later turn. */
export function deliveriesInMemory() {
  const alerts = new Map<string, Alert>();
  const recorded: AlertDelivery[] = [];
  const asked: string[] = [];
  let held = Promise.resolve();
  let fault: { error: Error; of: string } | undefined;
  const turn = async (what: string) => {
    asked.push(what);
    await Promise.resolve();
    if (fault !== undefined && what.startsWith(fault.of)) throw fault.error;
  };
  const standing = (sink: string, alert_id: string) => {
    const of = recorded.filter((one) => one.sink === sink && one.alert_id === alert_id);
    return {
      version: Math.max(0, ...of.map(({ version }) => version)),
      knows: of.some(({ outcome }) => outcome === 'delivered'),
    };
  };
  const deliveries: Deliveries = {
    register: (sinks) => turn(`register ${sinks.join(',')}`),
    async record(some) {
      await turn('record');
      recorded.push(...some);
    },
    async standings(ids) {
      await turn(`standings ${ids.join(',')}`);
      return recorded
        .filter(({ alert_id }) => ids.includes(alert_id))
        .map(({ sink, alert_id }) => ({ sink, alert_id, ...standing(sink, alert_id) }));
    },
    async undelivered(partition, sink, limit) {
      // As things stand when it is asked; the answer comes later.
      const page = [...alerts.values()]
        .filter((alert) => {
          const { version, knows } = standing(sink, alert.alert_id);
          const owed = alert.decision.action !== 'record' || knows;
          return (alert.partition ?? '') === partition && alert.version > version && owed;
        })
        .slice(0, limit);
      await turn(`undelivered ${partition}`);
      await held;
      return page;
    },
  };
  return {
    deliveries,
    recorded,
    asked,
    /** Makes an alert durable, as the worker does before it submits it. */
    keep(alert: Alert): Alert {
      alerts.set(alert.alert_id, alert);
      return alert;
    },
    /** Keeps what is read back under way until the function that it gives is called. */
    hold(): () => void {
      let release: () => void = () => undefined;
      held = new Promise((resolve) => (release = resolve));
      return release;
    },
    /** Fails what begins with `of` from now on, until it is told to stop. */
    fail: (error: Error | undefined, of = ''): void => {
      fault = error && { error, of };
    },
  };
}
