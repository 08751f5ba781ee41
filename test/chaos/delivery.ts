import { createRandom, type Random } from '../../src/demo/random.ts';
import { MINUTE, type StreamRecord } from './lines.ts';

/** Share of events delivered a second time. */
const TWICE = 0.02;

/** How much later than its time an event is delivered, milliseconds: mostly at once, some minutes, a few hours. */
function delay(random: Random): number {
  const kind = random.next();
  if (kind < 0.85) return random.integer(0, 2_000);
  if (kind < 0.95) return random.integer(0, 10 * MINUTE);
  if (kind < 0.99) return random.integer(10 * MINUTE, 60 * MINUTE);
  return random.integer(60 * MINUTE, 210 * MINUTE);
}

const byTime = (a: { at: number; number: number }, b: { at: number; number: number }) =>
  a.at - b.at || a.number - b.number;

/** The order of event time, what is late last: nothing twice. */
export function inOrder(records: readonly StreamRecord[]): StreamRecord[] {
  return [...records.filter(({ sort }) => sort !== 'late'), ...records.filter(({ sort }) => sort === 'late')];
}

/** The order of a bad day: some events late, some delivered twice, those from the day before last. */
export function shuffled(records: readonly StreamRecord[], seed: number): StreamRecord[] {
  const random = createRandom(seed + 2);
  const late = records.filter(({ sort }) => sort === 'late');
  const deliveries = records
    .filter(({ sort }) => sort !== 'late')
    .flatMap((record, number) => {
      const first = { record, number, at: record.time + delay(random) };
      const again = record.sort === 'event' && random.chance(TWICE);
      return again ? [first, { record, number, at: first.at + delay(random) }] : [first];
    });
  return [...deliveries.sort(byTime).map(({ record }) => record), ...late];
}
