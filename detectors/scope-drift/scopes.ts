import type { State } from './state.ts';

/** Characters of a scope list that are looked at: no honest token carries more. */
const MAX_CHARACTERS = 2048;

/** A list of scopes, kept once. */
export interface ScopeList {
  number: number;
  scopes: string[];
}

/** The scopes that are looked at: as many as fit. */
export function lookedAt(scopes: readonly string[]): string[] {
  let room = MAX_CHARACTERS;
  return scopes.filter((one) => {
    room -= one.length + 1;
    return room >= 0;
  });
}

/** The scopes by number. */
export function scopesOf({ lists }: State, number: number): readonly string[] {
  return lists.find((one) => one.number === number)?.scopes ?? [];
}

/** The number of a list of scopes, if the state has it. */
export function findScopes({ lists }: State, scope: readonly string[]): number | undefined {
  const scopes = lookedAt(scope);
  return lists.findLast(
    (one) => one.scopes.length === scopes.length && one.scopes.every((name, at) => name === scopes[at]),
  )?.number;
}

/** The number of a list of scopes, which the state has from now on. */
export function numberOfScopes(state: State, scope: readonly string[]): number {
  const known = findScopes(state, scope);
  if (known !== undefined) return known;
  const { next: number } = state.shared;
  state.shared.next += 1;
  state.lists.push({ number, scopes: lookedAt(scope) });
  return number;
}
