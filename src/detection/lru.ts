interface Node<V> {
  readonly space: number;
  readonly key: string;
  value: V;
  older: Node<V> | null;
  newer: Node<V> | null;
}

/** Maps that together remember which entry was used longest ago. Every operation takes constant time. */
export interface Lru<V> {
  /** Entries in all maps. */
  readonly size: number;
  /** The value of `key` in map number `space`, which becomes the most recently used. */
  get(space: number, key: string): V | undefined;
  /** Adds an entry that is not there yet, as the most recently used. */
  add(space: number, key: string, value: V): void;
  /** The value used longest ago. */
  oldest(): V | undefined;
  /** Removes the entry used longest ago. */
  dropOldest(): void;
}

/**
 * Creates least-recently-used maps as hash maps over a doubly linked list. Deleting and setting again in a plain
 * `Map` would keep the order too, but makes it rehash over and over: at a million keys that stops the event loop.
 *
 * @param spaces how many maps share the one order; keys of different maps never meet
 */
export function createLru<V>(spaces = 1): Lru<V> {
  const maps = Array.from({ length: spaces }, () => new Map<string, Node<V>>());
  let size = 0;
  let oldest: Node<V> | null = null;
  let newest: Node<V> | null = null;

  function append(node: Node<V>): void {
    node.older = newest;
    node.newer = null;
    if (newest === null) oldest = node;
    else newest.newer = node;
    newest = node;
  }

  function unlink(node: Node<V>): void {
    if (node.older === null) oldest = node.newer;
    else node.older.newer = node.newer;
    if (node.newer === null) newest = node.older;
    else node.newer.older = node.older;
  }

  return {
    get size() {
      return size;
    },
    get(space, key) {
      const node = maps[space]?.get(key);
      if (node === undefined) return undefined;
      if (node !== newest) {
        unlink(node);
        append(node);
      }
      return node.value;
    },
    add(space, key, value) {
      const node: Node<V> = { space, key, value, older: null, newer: null };
      maps[space]?.set(key, node);
      size += 1;
      append(node);
    },
    oldest: () => oldest?.value,
    dropOldest() {
      if (oldest === null) return;
      maps[oldest.space]?.delete(oldest.key);
      size -= 1;
      unlink(oldest);
    },
  };
}
