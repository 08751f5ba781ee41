import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RecallError } from '../../../src/errors.ts';
import { createCircuit } from '../../../src/response/circuit.ts';

const away = (retryAfter?: number) => () =>
  Promise.reject(new RecallError('ERR_RESPONDER_UNAVAILABLE', 'answered 503', { retryAfter }));
const refuses = () => Promise.reject(new RecallError('ERR_RESPONDER_REFUSED', 'answered 401'));
const takes = () => Promise.resolve('taken');

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const newCircuit = () => createCircuit('https://as.example', { failures: 3, pause: 10_000 });
type Circuit = ReturnType<typeof newCircuit>;

async function fail(circuit: Circuit, times: number, request: () => Promise<unknown> = away()) {
  for (let time = 0; time < times; time += 1) await expect(circuit.run(request)).rejects.toThrow();
}
const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);

describe('a circuit', () => {
  it('opens after so many failures in a row, lets nothing through, and says for how long', async () => {
    const circuit = newCircuit();
    await fail(circuit, 2);
    expect(circuit.state()).toBe('closed');
    await fail(circuit, 1);
    expect({ state: circuit.state(), hold: circuit.holdFor() }).toEqual({ state: 'open', hold: 10_000 });
    pass(4_000);
    const request = vi.fn(takes);
    await expect(circuit.run(request)).rejects.toMatchObject({
      code: 'ERR_RESPONDER_UNAVAILABLE',
      message: expect.stringContaining('answered 503') as string,
      retryAfter: 6_000,
    });
    expect(request).not.toHaveBeenCalled();
  });

  it('closes when the one that tries is answered, and opens anew when it is not', async () => {
    const circuit = newCircuit();
    await fail(circuit, 3);
    pass(10_000);
    expect(circuit.holdFor()).toBe(0);
    await fail(circuit, 1);
    expect({ state: circuit.state(), hold: circuit.holdFor() }).toEqual({ state: 'open', hold: 10_000 });
    pass(10_000);
    expect(await circuit.run(takes)).toBe('taken');
    expect({ state: circuit.state(), failure: circuit.lastFailure() }).toEqual({ state: 'closed' });
    await fail(circuit, 2);
    expect(circuit.state()).toBe('closed');
  });

  it('takes a refusal for an answer: it ends a row of failures, and closes', async () => {
    const circuit = newCircuit();
    for (let round = 0; round < 4; round += 1) {
      await fail(circuit, 2);
      await fail(circuit, 1, refuses);
    }
    expect(circuit.state()).toBe('closed');
    await fail(circuit, 3);
    pass(10_000);
    await expect(circuit.run(refuses)).rejects.toMatchObject({ code: 'ERR_RESPONDER_REFUSED' });
    expect(circuit.state()).toBe('closed');
  });

  it('holds for as long as the server asks, open or not, but not for a day', async () => {
    const circuit = newCircuit();
    await fail(circuit, 1, away(30_000));
    expect({ state: circuit.state(), hold: circuit.holdFor() }).toEqual({ state: 'closed', hold: 30_000 });
    await fail(circuit, 2);
    expect({ state: circuit.state(), hold: circuit.holdFor() }).toEqual({ state: 'open', hold: 30_000 });
    await fail(newCircuit(), 1, away(86_400_000));
    const long = newCircuit();
    await fail(long, 1, away(86_400_000));
    expect(long.holdFor()).toBe(900_000);
  });
});
