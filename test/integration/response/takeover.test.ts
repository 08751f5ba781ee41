import { describe, expect, it } from 'vitest';
import type { Action } from '../../../schemas/action.ts';
import { away, eventually, installation } from './installation.ts';
import { memoryStore } from './support.ts';

const { front, isActive, newToken, worker, recall, revocations, heldAnswers } = installation();

describe('an action that another process has begun', () => {
  it('is not asked for again where its final state is in the store', async () => {
    const token = await newToken();
    const memory = memoryStore();
    const action = recall(token);
    const final: Action = { ...action, state: 'confirmed', attempts: 1, updated_at: action.updated_at + 5 };
    await memory.store.write({ actions: [final] });
    const { outbox, receipts, audit } = worker({ tokens: [{ token }], memory });
    outbox.submit([action]);
    await outbox.idle();
    expect({ asked: front().asked, receipts, audit: audit() }).toEqual({
      asked: [],
      receipts: [],
      audit: [],
    });
    expect(memory.current()).toEqual([final]);
  });

  it('is not begun before the store could be asked about it, unless it was decided here', async () => {
    const [loaded, decided] = [await newToken(), await newToken()];
    const { outbox, setFault, refusals, receipts } = worker({
      tokens: [{ token: loaded }, { token: decided }],
    });
    setFault('away');
    outbox.submit([recall(loaded)]);
    outbox.submit([recall(decided)], 'decided');
    await expect.poll(() => isActive(decided)).toBe(false);
    await eventually(refusals).toBeGreaterThanOrEqual(3);
    expect(await isActive(loaded)).toBe(true);
    setFault(undefined);
    await outbox.idle();
    expect(receipts).toHaveLength(2);
    expect(await isActive(loaded)).toBe(false);
  });

  it('goes on counting attempts where the process before stopped', async () => {
    const token = await newToken();
    const first = worker({ tokens: [{ token }] });
    front().faults.revoke = away;
    first.outbox.submit([recall(token)]);
    await eventually(() => first.actions().at(-1)?.attempts).toBeGreaterThanOrEqual(3);
    await first.outbox.close(1_000);
    front().faults.revoke = undefined;
    const second = worker({ tokens: [{ token }], memory: first.memory });
    second.outbox.resume('p/1');
    await second.outbox.idle();
    expect(second.receipts).toEqual([
      expect.objectContaining({ state: 'confirmed', attempts: revocations() }),
    ]);
  });

  it('is proven dead although the process died between the revocation and its receipt', async () => {
    const token = await newToken();
    const first = worker({ tokens: [{ token }] });
    const { held, answered } = heldAnswers();
    front().faults.revoke = held;
    first.outbox.submit([recall(token)]);
    await eventually(answered).toBe(1);
    await first.outbox.close(0);
    expect(await isActive(token)).toBe(false);
    expect(first.current()).toEqual([
      expect.objectContaining({ state: 'pending', seen_active_at: expect.any(Number) as number }),
    ]);

    front().faults.revoke = undefined;
    const before = front().asked.length;
    const second = worker({ tokens: [{ token }], memory: first.memory });
    second.outbox.resume('p/1');
    await second.outbox.idle();
    // Seen active once is enough: the revocation does not wait for another look.
    expect(front().asked.slice(before)).toEqual(['metadata', 'revoke', 'introspect']);
    const [seen] = first.current();
    expect([...first.receipts, ...second.receipts]).toEqual([
      expect.objectContaining({
        state: 'confirmed',
        detail: expect.stringContaining(
          `active at ${new Date(seen?.seen_active_at ?? 0).toISOString()}, inactive after`,
        ) as string,
      }),
    ]);
    expect(second.audit()).toHaveLength(1);
  });

  it('is not called proven where nobody ever saw the token active', async () => {
    const token = await newToken();
    const first = worker({ tokens: [{ token }] });
    const { held, answered } = heldAnswers();
    front().faults.revoke = held;
    front().faults.introspect = away;
    const action = recall(token);
    await first.memory.store.write({ actions: [action] });
    first.outbox.submit([action]);
    await eventually(answered).toBe(1);
    await first.outbox.close(0);
    front().faults.revoke = undefined;
    front().faults.introspect = undefined;
    const second = worker({ tokens: [{ token }], memory: first.memory });
    second.outbox.resume('p/1');
    await second.outbox.idle();
    expect(second.receipts).toEqual([
      expect.objectContaining({
        state: 'accepted',
        detail: expect.stringContaining('never showed the token active') as string,
      }),
    ]);
  });
});
