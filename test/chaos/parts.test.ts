import { describe, expect, it } from 'vitest';
import { createCast, tokenRequests } from './cast.ts';
import { shuffled } from './delivery.ts';
import { planFaults, type Planned } from './plan.ts';
import { buildStream } from './stream.ts';
import { createTokenSearch } from './token-scanner.ts';

const END = Date.UTC(2026, 0, 5, 12);

function streamOf(seed: number) {
  const cast = createCast(seed, 3_000);
  const issued = tokenRequests(cast).map((_, at) => `token-that-was-issued-${at}`);
  const hosts = ['68.183.180.77'];
  return buildStream({ seed, events: 3_000, cast, issued, hosts, issuer: 'https://as.example', end: END });
}

describe('a run is what its seed says', () => {
  it('makes the same stream, delivery and plan of the same seed, and others of another', () => {
    const [first, again, other] = [streamOf(7), streamOf(7), streamOf(8)];
    expect(again).toEqual(first);
    expect(other.records).not.toEqual(first.records);
    expect(shuffled(again.records, 7)).toEqual(shuffled(first.records, 7));
    expect(planFaults(7, [1, 3, 2], 'all')).toEqual(planFaults(7, [1, 3, 2], 'all'));
    expect(planFaults(8, [1, 3, 2], 'all')).not.toEqual(planFaults(7, [1, 3, 2], 'all'));
  });

  it('delivers every record, some twice, some hours late, and the stragglers last', () => {
    const { records } = streamOf(7);
    const delivered = shuffled(records, 7);
    expect(new Set(delivered)).toEqual(new Set(records));
    expect(delivered.length).toBeGreaterThan(records.length);
    expect(delivered.slice(-20).every(({ sort }) => sort === 'late')).toBe(true);
    let newest = 0;
    const lateness = delivered.map(({ time, sort }) => {
      newest = Math.max(newest, time);
      return sort === 'late' ? 0 : newest - time;
    });
    expect(Math.max(...lateness)).toBeGreaterThan(3_600_000);
    // Of the allowed lateness, 6 h.
    expect(Math.max(...lateness)).toBeLessThan(6 * 3_600_000);
  });

  it('tells which tokens are stolen and which lie next to them, all of them really issued', () => {
    const { labels, tokens } = streamOf(7);
    expect(new Set(labels.map(({ kind }) => kind))).toEqual(
      new Set(['replay', 'refreshed', 'left', 'escalation', 'drift']),
    );
    const named = labels.flatMap(({ accused, spared }) => [...accused, ...spared]);
    expect(new Set(named).size).toBe(named.length);
    expect(named.every((token) => token.startsWith('token-that-was-issued-') && tokens.has(token))).toBe(
      true,
    );
  });

  it('plans every kind of fault in a full run, and in three short ones together', () => {
    const nameOf = ({ fault }: Planned) => ('illness' in fault ? fault.illness : fault.kind);
    const full = planFaults(5, [1, 3, 2], 'all').map(nameOf);
    const short = [1, 2, 3].flatMap((seed) => planFaults(seed, [1, 3, 2], 'some')).map(nameOf);
    expect(new Set(full).size).toBe(11);
    expect(new Set(short)).toEqual(new Set(full));
    expect(full.filter((name) => name === 'join')).toHaveLength(2);
    expect(full.filter((name) => name === 'leave')).toHaveLength(1);
  });
});

describe('the search for raw tokens', () => {
  const tokens = ['abcd-first-token', 'abcd-second-token', 'zyxw-third-token'];
  const search = createTokenSearch(tokens);
  const found = (...pieces: string[]) => {
    const scanner = search();
    return new Set(pieces.flatMap((piece) => scanner.scan(Buffer.from(piece))));
  };

  it('finds each, wherever it stands', () => {
    expect(found('abcd-first-token')).toEqual(new Set(['abcd-first-token']));
    expect(found('\u0000xabcd-second-tokenx', 'zyxw-third-token')).toEqual(new Set(tokens.slice(1)));
  });

  it('finds one that is cut by the border of two pieces, at every place', () => {
    const [token = ''] = tokens;
    for (let cut = 0; cut <= token.length; cut += 1) {
      expect(found(`..${token.slice(0, cut)}`, `${token.slice(cut)}..`)).toEqual(new Set([token]));
    }
  });

  it('is not taken in by a beginning', () => {
    expect(found('abcd-first-toke', 'x', 'abcd')).toEqual(new Set());
  });
});
