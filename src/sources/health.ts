import type { SourceHealth } from './port.ts';

/** The health of one source as its parts report it. */
export interface HealthState {
  /** All is well, and what the source is at, in words. */
  ok(detail: string): void;
  /** Something does not work; the source keeps trying. */
  failing(detail: string): void;
  /** What failed works again: back to what {@link ok} said last. */
  recovered(): void;
  current(): SourceHealth;
}

/** @param detail what the source is at before it runs */
export function createHealth(detail: string): HealthState {
  let good = detail;
  let bad: string | null = null;
  return {
    ok(words) {
      good = words;
      bad = null;
    },
    failing(words) {
      bad = words;
    },
    recovered() {
      bad = null;
    },
    current: () => (bad === null ? { ok: true, detail: good } : { ok: false, detail: bad }),
  };
}
