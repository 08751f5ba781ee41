import { describe, expect, it } from 'vitest';
import { batchesOf, mergeByTime } from '../../../src/pipeline/merge.ts';
import type { Source, SourceBatch } from '../../../src/sources/port.ts';

async function* streamOf(name: string, ...times: number[]) {
  for (const time of times) yield Promise.resolve({ name, time });
}

describe('mergeByTime', () => {
  it('merges by time, of equal times the first stream first', async () => {
    const merged: string[] = [];
    for await (const { name, time } of mergeByTime(
      streamOf('a', 1, 3, 3, 9),
      streamOf('b', 0, 3, 4, 10, 11),
    )) {
      merged.push(`${name}${time}`);
    }
    expect(merged).toEqual(['b0', 'a1', 'a3', 'a3', 'b3', 'b4', 'a9', 'b10', 'b11']);
  });

  it.each([
    [[], [1, 2]],
    [[1, 2], []],
    [[], []],
  ])('loses nothing where one ends first: %j and %j', async (left, right) => {
    const seen: number[] = [];
    for await (const { time } of mergeByTime(streamOf('a', ...left), streamOf('b', ...right)))
      seen.push(time);
    expect(seen).toEqual([...left, ...right]);
  });
});

const batch = (position: string): SourceBatch => ({
  source: 's',
  stream: 'access',
  format: 'canonical',
  records: [{ bytes: new Uint8Array(), position }],
});

describe('batchesOf', () => {
  it('gives every batch, and the source waits until one has been looked at', async () => {
    const steps: string[] = [];
    const source: Source = {
      name: 's',
      health: () => ({ ok: true, detail: '' }),
      async run(onBatch) {
        for (const position of ['1', '2', '3']) {
          await onBatch(batch(position));
          steps.push(`acknowledged ${position}`);
        }
      },
    };
    for await (const { records } of batchesOf(source, new AbortController().signal)) {
      await Promise.resolve();
      steps.push(`seen ${records[0]?.position ?? ''}`);
    }
    expect(steps).toEqual([
      'seen 1',
      'acknowledged 1',
      'seen 2',
      'acknowledged 2',
      'seen 3',
      'acknowledged 3',
    ]);
  });

  it('throws what the source throws', async () => {
    const source: Source = {
      name: 's',
      health: () => ({ ok: true, detail: '' }),
      async run(onBatch) {
        await onBatch(batch('1'));
        throw new Error('disk on fire');
      },
    };
    const seen: string[] = [];
    const read = async () => {
      for await (const { records } of batchesOf(source, new AbortController().signal)) {
        seen.push(records[0]?.position ?? '');
      }
    };
    await expect(read()).rejects.toThrow('disk on fire');
    expect(seen).toEqual(['1']);
  });

  it('ends the source when the loop is left', async () => {
    let ended: AbortSignal | undefined;
    const source: Source = {
      name: 's',
      health: () => ({ ok: true, detail: '' }),
      async run(onBatch, signal) {
        ended = signal;
        await onBatch(batch('1'));
      },
    };
    for await (const one of batchesOf(source, new AbortController().signal)) if (one.source === 's') break;
    expect(ended?.aborted).toBe(true);
  });
});
