import { describe, expect, it } from 'vitest';
import { away, eventually, installation } from './installation.ts';

const { front, isActive, newToken, worker, recall, revocations, heldAnswers } = installation();

describe('an outbox that loses a partition', () => {
  it('begins nothing new for it, forgets attempts under way, and goes on with the others', async () => {
    const tokens = [await newToken(), await newToken(), await newToken(), await newToken()];
    const [running = '', queued = '', waiting = '', other = ''] = tokens;
    const sealed = tokens.map((token) => ({ token }));
    const first = worker({ tokens: sealed }, { concurrency: 1 });
    // One between two attempts, one under way, one in the queue.
    front().faults.revoke = away;
    first.outbox.submit([recall(waiting)]);
    await eventually(() => first.actions().length).toBeGreaterThanOrEqual(2);
    const { held, answered, release } = heldAnswers();
    front().faults.revoke = held;
    await eventually(answered).toBe(1);
    first.outbox.submit([recall(running), recall(queued), recall(other, { partition: 'p/2' })]);
    await first.memory.store.write({ actions: [recall(running)] });
    const asked = revocations();
    first.outbox.drop('p/1');
    expect(first.outbox.pending()).toBe(1);
    front().faults.revoke = undefined;
    release();
    await first.outbox.idle();
    expect(revocations()).toBe(asked + 1);
    expect(first.receipts.map(({ partition }) => partition)).toEqual(['p/2']);
    expect([await isActive(other), await isActive(running)]).toEqual([false, true]);
    expect(first.current().filter(({ state }) => state !== 'pending')).toHaveLength(1);
  });

  it('leaves them to the next owner, with one receipt each, also when the partition comes back', async () => {
    const token = await newToken();
    const first = worker({ tokens: [{ token }] });
    const { held, answered, release } = heldAnswers();
    front().faults.revoke = held;
    const action = recall(token);
    await first.memory.store.write({ actions: [action] });
    first.outbox.submit([action]);
    await eventually(answered).toBe(1);
    first.outbox.drop('p/1');
    await first.outbox.idle();
    first.outbox.resume('p/1');
    await eventually(answered).toBe(2);
    release();
    await first.outbox.idle();
    first.outbox.drop('p/1');
    const second = worker({ tokens: [{ token }], memory: first.memory });
    second.outbox.resume('p/1');
    second.outbox.submit([action]);
    await second.outbox.idle();
    expect([...first.receipts, ...second.receipts]).toEqual([
      expect.objectContaining({ state: 'confirmed' }),
    ]);
    expect(second.audit()).toHaveLength(1);
  });

  it.each(['had its answer', 'was under way'])(
    'writes nothing more for an action that %s and waited for the store or another attempt',
    async (when) => {
      const token = await newToken();
      const { outbox, setFault, refusals, memory, audit, receipts } = worker({ tokens: [{ token }] });
      const action = recall(token);
      await memory.store.write({ actions: [action] });
      const ends: (() => void)[] = [];
      if (when === 'was under way') {
        front().faults.introspect = away;
        front().faults.revoke = (_request, response) => ends.push(() => response.writeHead(503).end());
        outbox.submit([action]);
        await eventually(() => ends.length).toBe(1);
      } else {
        setFault('away');
        outbox.submit([action], 'decided');
        await expect.poll(() => isActive(token)).toBe(false);
        await eventually(refusals).toBeGreaterThanOrEqual(3);
      }
      outbox.drop('p/1');
      setFault(undefined);
      ends.forEach((end) => end());
      const health = outbox.health()[front().issuer];
      if (when === 'was under way') {
        await eventually(() => outbox.health()[front().issuer]?.detail).toContain('answered 503');
      }
      await outbox.close(20_000);
      expect(health?.detail).toContain('0 actions wait');
      expect({ rows: memory.actions(), audit: audit(), receipts }).toEqual({
        rows: [action],
        audit: [],
        receipts: [],
      });
    },
  );

  it('records nothing over the receipt of the next owner, also where it does not know of one', async () => {
    const token = await newToken();
    const first = worker({ tokens: [{ token }] });
    const { held, answered, release } = heldAnswers();
    front().faults.revoke = held;
    const action = recall(token);
    await first.memory.store.write({ actions: [action] });
    first.outbox.submit([action]);
    await eventually(answered).toBe(1);
    // The first stands still, its partition is given to another.
    front().faults.revoke = undefined;
    const second = worker({ tokens: [{ token }], memory: first.memory });
    second.outbox.resume('p/1');
    await second.outbox.idle();
    const stands = second.current();
    release();
    await first.outbox.idle();
    expect(first.receipts).toEqual([]);
    expect(second.receipts).toHaveLength(1);
    expect(second.current()).toEqual(stands);
    expect(second.audit()).toHaveLength(1);
  });
});
