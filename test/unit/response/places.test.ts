import { describe, expect, it, vi } from 'vitest';
import type { Circuit } from '../../../src/response/circuit.ts';
import { createPlaces } from '../../../src/response/places.ts';

const never = new AbortController().signal;

/** A circuit whose state the test sets. */
function fakeCircuit() {
  const now: { state: ReturnType<Circuit['state']>; hold: number } = { state: 'closed', hold: 0 };
  const circuit: Circuit = {
    run: (request) => request(),
    state: () => now.state,
    holdFor: () => now.hold,
    lastFailure: () => undefined,
  };
  return { circuit, now };
}

/** Attempts that last until the test ends them. */
function attempts() {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const attempt = (name: string) => () =>
    new Promise<string>((resolve) => {
      begun.push(name);
      ends.set(name, () => resolve(name));
    });
  return { begun, attempt, end: (name: string) => ends.get(name)?.() };
}

describe('places at a server', () => {
  it('are taken in order, no more at once than there are', async () => {
    const { begun, attempt, end } = attempts();
    const places = createPlaces({ concurrency: 2, circuit: fakeCircuit().circuit });
    const taken = ['a', 'b', 'c', 'd'].map((name) => places.take(attempt(name), never));
    expect(begun).toEqual(['a', 'b']);
    end('b');
    expect(await taken[1]).toBe('b');
    await vi.waitFor(() => expect(begun).toEqual(['a', 'b', 'c']));
    end('a');
    end('c');
    await vi.waitFor(() => expect(begun).toEqual(['a', 'b', 'c', 'd']));
    end('d');
    expect(await Promise.all(taken)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('are given to one while the circuit is not closed, and to all when that one has closed it', async () => {
    const { begun, attempt, end } = attempts();
    const { circuit, now } = fakeCircuit();
    const places = createPlaces({ concurrency: 3, circuit });
    Object.assign(now, { state: 'open', hold: 30 });
    const taken = ['a', 'b', 'c'].map((name) => places.take(attempt(name), never));
    expect(begun).toEqual([]);
    now.hold = 0;
    await vi.waitFor(() => expect(begun).toEqual(['a']));
    now.state = 'half-open';
    const late = places.take(attempt('d'), never);
    expect(begun).toEqual(['a']);
    now.state = 'closed';
    end('a');
    await vi.waitFor(() => expect(begun).toEqual(['a', 'b', 'c', 'd']));
    for (const name of begun) end(name);
    expect(await Promise.all([...taken, late])).toEqual(['a', 'b', 'c', 'd']);
  });

  it('are left by who has not to wait any longer, and lost by none that fails', async () => {
    const { begun, attempt, end } = attempts();
    const places = createPlaces({ concurrency: 1, circuit: fakeCircuit().circuit });
    const gone = new AbortController();
    const first = places.take(attempt('a'), gone.signal);
    const second = places.take(attempt('b'), gone.signal);
    const third = places.take(() => Promise.reject(new Error('no')), never);
    const fourth = places.take(attempt('c'), never);
    gone.abort();
    expect(await second).toBeUndefined();
    expect(await places.take(attempt('d'), gone.signal)).toBeUndefined();
    end('a');
    expect(await first).toBe('a');
    await expect(third).rejects.toThrow('no');
    await vi.waitFor(() => expect(begun).toEqual(['a', 'c']));
    end('c');
    expect(await fourth).toBe('c');
  });
});
