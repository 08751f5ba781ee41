import { expect, it } from 'vitest';
import type { Action } from '../../../schemas/action.ts';
import { createRecallDesk } from '../../../src/pipeline/recall-desk.ts';
import type { SealedToken, StoreBatch } from '../../../src/store/port.ts';

const KNOWN: SealedToken = {
  token_hash: 'hash-1',
  iss: 'https://as.example',
  sub: 'user-1',
  client_id: 'web',
  jti: 'token-1',
  sealed: 'sealed',
  expires_at: 2_000_000_000_000,
  first_seen: 1_700_000_000_000,
};

interface Options {
  missing?: string[];
  refused?: boolean;
  known?: SealedToken | null;
}

/** A desk whose store takes or refuses rows as told; what it does is listed in order. */
function deskOf({ missing = [], refused = false, known = KNOWN }: Options = {}) {
  const done: string[] = [];
  const written: StoreBatch[] = [];
  const submitted: Action[] = [];
  const asked: unknown[] = [];
  const desk = createRecallDesk({
    reads: { sealedToken: () => Promise.resolve(known) },
    store: {
      write(batch) {
        done.push('written');
        if (refused) return Promise.reject(new Error('away'));
        written.push(batch);
        return Promise.resolve();
      },
    },
    responder: {
      kind: 'rfc7009',
      lookUp(target) {
        asked.push(target);
        return Promise.resolve({ missing, expires_at: 2_000_000_000_000 });
      },
    },
    outbox: {
      submit(actions) {
        done.push('submitted');
        submitted.push(...actions);
      },
    },
    partition: () => 'group/4',
  });
  return { desk, done, written, submitted, asked };
}

const request = { handle: 'token', value: 'token-1', reason: 'reported by its owner' } as const;

it('makes a recall durable, with who asked and why, before it is carried out', async () => {
  const { desk, done, written, submitted, asked } = deskOf();
  const action = await desk(request, 'operator-1');
  expect(done).toEqual(['written', 'submitted']);
  expect(asked).toEqual([{ iss: 'https://as.example', client_id: 'web', id: 'hash-1' }]);
  expect(action).toMatchObject({
    state: 'pending',
    mode: 'enforce',
    requested_by: 'operator-1',
    reason: 'reported by its owner',
    token_hash: 'hash-1',
    sub: 'user-1',
    partition: 'group/4',
    expires_at: 2_000_000_000_000,
  });
  expect(written).toEqual([
    {
      actions: [action],
      audit: [
        expect.objectContaining({ actor: 'operator-1', action: 'recall.request', target: 'token token-1' }),
      ],
    },
  ]);
  expect(submitted).toEqual([action]);
});

it('says what is missing, and writes and does nothing', async () => {
  const { desk, done } = deskOf({ missing: ['the token itself', 'a server'] });
  await expect(desk(request, 'operator-1')).rejects.toMatchObject({
    code: 'ERR_RESPONDER_REFUSED',
    message: 'this token cannot be recalled: the token itself; a server',
  });
  expect(done).toEqual([]);
});

it('carries nothing out that is not durable', async () => {
  const { desk, submitted } = deskOf({ refused: true });
  await expect(desk(request, 'operator-1')).rejects.toThrow('away');
  expect(submitted).toEqual([]);
});

it('takes each request for one of its own: the same token may be asked for twice', async () => {
  const { desk } = deskOf({ known: null });
  const [one, two] = [await desk(request, 'operator-1'), await desk(request, 'operator-1')];
  expect(one.action_id).not.toBe(two.action_id);
});
