import { readFileSync } from 'node:fs';
import { messageOf } from '../errors.ts';

/** Text with its expansions made, or why that could not be. */
export type Expansion =
  | { ok: true; text: string; /** The expansions as they were written, without defaults. */ names: string[] }
  | { ok: false; problem: string; got: string; expected: string };

const EXPANSION = /\$\$\{|\$\{([^}]*)(\}?)/g;
const VARIABLE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;
const FORMS = '${NAME}, ${NAME:-default} or ${file:/path}; $${ stands for a plain ${';

/**
 * Replaces `${NAME}`, `${NAME:-default}` (where NAME is unset or empty, as in a shell) and `${file:/path}` (the
 * content of the file without its last line end) in `text`; `$${` becomes `${`. What is inserted is not looked at again.
 */
export function expandText(text: string, env: NodeJS.ProcessEnv): Expansion {
  const names: string[] = [];
  let failure: Extract<Expansion, { ok: false }> | undefined;
  const fail = (problem: string, got: string, expected: string) => {
    failure ??= { ok: false, problem, got, expected };
    return '';
  };
  const expanded = text.replace(
    EXPANSION,
    (match: string, inner: string | undefined, close: string | undefined) => {
      if (inner === undefined) return '${';
      // What stands between the braces may be a secret that happens to hold `${`: not shown.
      if (close !== '}') return fail('"${" without its "}"', 'text', FORMS);
      if (inner.startsWith('file:')) {
        names.push(match);
        return readSecretFile(inner.slice('file:'.length), (reason) =>
          fail(reason, match, 'a readable file'),
        );
      }
      const [, name, fallback] = VARIABLE.exec(inner) ?? [];
      if (name === undefined) return fail('"${…}" is no expansion', 'text', FORMS);
      names.push(`\${${name}}`);
      const value = env[name];
      if (value !== undefined && (value !== '' || fallback === undefined)) return value;
      if (fallback !== undefined) return fallback;
      const expected = `the variable set, or \${${name}:-default}`;
      return fail(`environment variable ${name} is not set`, `\${${name}}`, expected);
    },
  );
  return failure ?? { ok: true, text: expanded, names };
}

function readSecretFile(path: string, fail: (reason: string) => string): string {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    return fail(`cannot read the file: ${messageOf(error)}`);
  }
}
