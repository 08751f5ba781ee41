/** What is due at a watermark, earliest first: a binary heap, in which what was put off leaves its old place behind. */
export interface Reviews<T> {
  add(at: number, item: T): void;
  /** Takes out all that is due at `watermark` or before. What was put off since is among it: the caller looks. */
  due(watermark: number): T[];
}

interface Entry<T> {
  at: number;
  item: T;
}

export function createReviews<T>(): Reviews<T> {
  const heap: Entry<T>[] = [];

  function swap(a: number, b: number): void {
    const [one, two] = [heap[a], heap[b]];
    if (one === undefined || two === undefined) return;
    heap[a] = two;
    heap[b] = one;
  }
  const atOf = (index: number) => heap[index]?.at ?? Infinity;

  function rise(from: number): void {
    for (let index = from; index > 0;) {
      const parent = (index - 1) >> 1;
      if (atOf(parent) <= atOf(index)) return;
      swap(parent, index);
      index = parent;
    }
  }

  function sink(): void {
    for (let index = 0; ;) {
      const left = 2 * index + 1;
      const child = atOf(left + 1) < atOf(left) ? left + 1 : left;
      if (atOf(child) >= atOf(index)) return;
      swap(child, index);
      index = child;
    }
  }

  return {
    add(at, item) {
      heap.push({ at, item });
      rise(heap.length - 1);
    },
    due(watermark) {
      const items: T[] = [];
      while (heap.length > 0 && atOf(0) <= watermark) {
        swap(0, heap.length - 1);
        const entry = heap.pop();
        if (entry !== undefined) items.push(entry.item);
        sink();
      }
      return items;
    },
  };
}
