import { describe, expect, it } from 'vitest';
import { eventually, installation } from './installation.ts';
import { json } from './support.ts';

const { front, isActive, newToken, worker, recall, revocations } = installation();

describe('closing', () => {
  it.each(['away', 'hanging'] as const)('keeps its deadline while the store is %s', async (fault) => {
    const [token, waiting] = [await newToken(), await newToken()];
    const { outbox, setFault } = worker({ tokens: [{ token }, { token: waiting }] });
    setFault(fault);
    outbox.submit([recall(token)], 'decided');
    outbox.submit([recall(waiting)]);
    outbox.resume('p/2');
    await expect.poll(() => isActive(token)).toBe(false);
    await outbox.close(50);
    await outbox.close(50);
    expect(outbox.pending()).toBeGreaterThan(0);
  });

  it('keeps its deadline while the server hangs, before and after the revocation', async () => {
    const tokens = [await newToken(), await newToken()];
    const { outbox, receipts } = worker({ tokens: tokens.map((token) => ({ token })) }, { timeout: '1h' });
    let looks = 0;
    front().faults.introspect = (_request, response) => {
      looks += 1;
      if (looks <= 2) json(response, 200, { active: true });
    };
    front().faults.revoke = (_request, response) => {
      if (revocations() === 1) response.writeHead(200).end();
    };
    outbox.submit(tokens.map((token) => recall(token)));
    await eventually(() => [looks, revocations()]).toEqual([3, 2]);
    await outbox.close(50);
    expect(receipts).toEqual([]);
  });
});
