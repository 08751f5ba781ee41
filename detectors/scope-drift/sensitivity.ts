import type { Options } from './options.ts';

/** What the configured patterns say of scopes and routes. */
export interface Sensitivity {
  readonly scope: (scope: string) => boolean;
  readonly privileged: (scope: string) => boolean;
  /** `operation` is `METHOD /route`. */
  readonly operation: (operation: string) => boolean;
  /** Scopes any one of which the route requires; undefined where configuration does not say. */
  readonly required: (method: string | undefined, route: string) => readonly string[] | undefined;
}

const known = new WeakMap<Options, Sensitivity>();

/** Compiles the patterns of `options`; a second call with the same object gives the same result. */
export function sensitivityOf(options: Options): Sensitivity {
  const before = known.get(options);
  if (before !== undefined) return before;
  const [scope, privileged, route] = [
    options.sensitive_scopes,
    options.privileged_scopes,
    options.sensitive_routes,
  ].map(anyOf);
  const methods = new Set(options.sensitive_methods.map((method) => method.toUpperCase()));
  const rules = options.routes.map((rule) => ({ ...rule, matches: anyOf([rule.route]) }));
  const sensitivity: Sensitivity = {
    scope: (one) => scope?.(one) === true,
    privileged: (one) => privileged?.(one) === true,
    operation(operation) {
      const [method = '', template = ''] = operation.split(' ', 2);
      return methods.has(method) || route?.(template) === true;
    },
    required: (method, template) =>
      rules.find((rule) => (rule.method === undefined || rule.method === method) && rule.matches(template))
        ?.scopes,
  };
  known.set(options, sensitivity);
  return sensitivity;
}

/** A test whether a text matches any of `patterns`. */
function anyOf(patterns: readonly string[]): (text: string) => boolean {
  if (patterns.length === 0) return () => false;
  const escaped = patterns.map((pattern) =>
    pattern
      .split('*')
      .map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'))
      .join('.*'),
  );
  const expression = new RegExp(`^(?:${escaped.join('|')})$`, 'i');
  return (text) => expression.test(text);
}
