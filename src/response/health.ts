import type { Lane } from './port.ts';

export interface LaneHealth {
  /** False while a server that fails is left alone: its recalls wait. */
  ok: boolean;
  /** In words, for an operator. */
  detail: string;
}

/**
 * How one server fares.
 *
 * @param waiting how many of its actions have no final state yet
 */
export function healthOf({ circuit }: Lane, waiting: number): LaneHealth {
  const state = circuit.state();
  const failure = circuit.lastFailure();
  const hold = Math.ceil(circuit.holdFor() / 1000);
  const parts = [
    `circuit ${state}`,
    ...(hold > 0 ? [`asked again in ${hold} s`] : []),
    `${waiting} actions wait`,
    ...(failure === undefined ? [] : [`last failure: ${failure}`]),
  ];
  return { ok: state === 'closed', detail: parts.join('; ') };
}
