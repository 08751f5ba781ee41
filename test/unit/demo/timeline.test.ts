import { expect, test } from 'vitest';
import { createTimeline } from '../../../src/demo/timeline.ts';

function told(options: { json?: boolean; colour?: boolean; columns?: number }): string[] {
  const lines: string[] = [];
  const timeline = createTimeline({
    write: (line) => lines.push(line),
    json: options.json ?? false,
    colour: options.colour ?? false,
    columns: options.columns ?? 80,
  });
  timeline.heading('Attack 1 of 3');
  timeline.say('attacker', 'first_401', `refused ${'again and '.repeat(12)}again`, { status: 401 });
  timeline.block('a table');
  return lines;
}

test('text for people: no line is wider than the terminal, and none is coloured unless asked', () => {
  const lines = told({ columns: 60 });
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(60);
  expect(lines.join('')).toMatch(/\d\d:\d\d\.\d {2}attacker {2}refused/);
  expect(lines.join('')).not.toContain('\u001B');
});

test('colours where asked', () => {
  expect(told({ colour: true }).join('')).toContain('\u001B[31mattacker');
});

test('for programs every line is a JSON object, and tables are left out', () => {
  const events = told({ json: true }).map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(events.map(({ event }) => event)).toEqual(['chapter', 'first_401']);
  expect(events[1]).toMatchObject({ actor: 'attacker', status: 401, at_ms: expect.any(Number) as number });
});
