import { styleText } from 'node:util';

/** Who a line of the timeline is about. */
export type Actor =
  | 'setup'
  | 'users'
  | 'machine'
  | 'attacker'
  | 'owner'
  | 'finding'
  | 'decision'
  | 'recall'
  | 'proof'
  | 'result';

type Style = Parameters<typeof styleText>[0];

const STYLES: Record<Actor, Style> = {
  setup: 'gray',
  users: 'gray',
  machine: 'gray',
  attacker: 'red',
  owner: 'blue',
  finding: 'yellow',
  decision: 'magenta',
  recall: 'cyan',
  proof: 'green',
  result: 'bold',
};

/** `mm:ss.t`, then the actor, then the text. */
const TIME_WIDTH = 7;
const ACTOR_WIDTH = 10;
const INDENT = TIME_WIDTH + 2 + ACTOR_WIDTH;

export interface TimelineOptions {
  write: (line: string) => void;
  /** One JSON object a line instead of text for people. */
  json: boolean;
  colour: boolean;
  /** Columns of the terminal. */
  columns: number;
}

export interface Timeline {
  /** Tells that something happened, now. `event` and `data` are what a program reads. */
  say(actor: Actor, event: string, text: string, data?: Record<string, unknown>): void;
  /** Begins a chapter. */
  heading(text: string): void;
  /** Text as it stands, for people only: introductions and tables. */
  block(text: string): void;
  /** Milliseconds since the demo began. */
  elapsed(): number;
}

/** Creates a timeline that prints each event when it is told. */
export function createTimeline({ write, json, colour, columns }: TimelineOptions): Timeline {
  const started = performance.now();
  const elapsed = () => Math.round(performance.now() - started);
  const paint = (style: Style, text: string) =>
    colour ? styleText(style, text, { validateStream: false }) : text;
  const width = Math.max(40, Math.min(columns, 130) - INDENT);
  return {
    elapsed,
    say(actor, event, text, data = {}) {
      if (json) {
        write(JSON.stringify({ at_ms: elapsed(), actor, event, text, ...data }));
        return;
      }
      const [first = '', ...rest] = wrap(text, width);
      const label = paint(STYLES[actor], actor.padEnd(ACTOR_WIDTH));
      write(`${paint('gray', clock(elapsed()))}  ${label}${first}`);
      for (const line of rest) write(`${' '.repeat(INDENT)}${line}`);
    },
    heading(text) {
      if (json) write(JSON.stringify({ at_ms: elapsed(), event: 'chapter', text }));
      else write(`\n${paint('bold', text)}`);
    },
    block(text) {
      if (!json) write(text);
    },
  };
}

/** Milliseconds as `mm:ss.t`. */
function clock(ms: number): string {
  const tenths = Math.floor(ms / 100);
  const minutes = String(Math.floor(tenths / 600)).padStart(2, '0');
  const seconds = String(Math.floor(tenths / 10) % 60).padStart(2, '0');
  return `${minutes}:${seconds}.${tenths % 10}`;
}

/** Breaks `text` at spaces so that no line is longer than `width`, unless one word is. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
