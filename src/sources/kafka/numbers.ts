import { RecallError } from '../../errors.ts';

/** A member of a consumer group as the leader knows it. */
export interface Member {
  readonly id: string;
  readonly topics: readonly string[];
  /** Partition numbers it had last. */
  readonly held: readonly number[];
}

/**
 * Deals the partition numbers 0 to `count` - 1 out to members: each to one, nobody more than one above anybody else,
 * and as few as possible to somebody other than who holds them. Same input, same deal, in whatever order members come.
 *
 * @returns numbers, ascending, by member id
 */
export function dealNumbers(members: readonly Member[], count: number): Map<string, number[]> {
  const inOrder = [...members].sort((a, b) => (a.id < b.id ? -1 : 1));
  const dealt = new Map<string, number[]>(inOrder.map(({ id }) => [id, []]));
  if (inOrder.length === 0) return dealt;
  const share = Math.floor(count / inOrder.length);
  // So many members have one more than the others: rather those who hold more already.
  let larger = count % inOrder.length;
  const free = new Set(Array.from({ length: count }, (_, number) => number));
  for (const { id, held } of inOrder) {
    // What two members claim the first keeps: one of them was away, and has not heard that it lost it.
    const claimed = [...new Set(held)].filter((number) => free.has(number));
    const more = claimed.length > share && larger > 0;
    if (more) larger -= 1;
    const kept = claimed.slice(0, more ? share + 1 : share);
    for (const number of kept) free.delete(number);
    dealt.set(id, kept);
  }
  for (const number of free) {
    let [poorest] = dealt.values();
    for (const numbers of dealt.values()) {
      if (numbers.length < (poorest?.length ?? 0)) poorest = numbers;
    }
    poorest?.push(number);
  }
  for (const numbers of dealt.values()) numbers.sort((a, b) => a - b);
  return dealt;
}

/**
 * Holds the partition counts of topics that are read together against each other.
 *
 * @param counts partitions by topic
 * @returns the one count
 * @throws RecallError ERR_PARTITIONING naming topics and counts
 */
export function commonCount(groupId: string, counts: ReadonlyMap<string, number>): number {
  const [count = 0, ...others] = new Set(counts.values());
  if (others.length > 0) {
    const list = [...counts].map(([topic, partitions]) => `${topic} has ${partitions}`).join(', ');
    throw new RecallError(
      'ERR_PARTITIONING',
      `the topics of consumer group ${groupId} differ in partitions (${list}), so one subject's events lie in partitions of different numbers: give them equally many, or set \`repartition\``,
    );
  }
  return count;
}

/**
 * What each member of a group is to read: number n of every topic goes to the same member.
 *
 * Numbers go only to members that read every topic of the group. While a new configuration rolls out, members differ;
 * a member that lacks a topic would tear its numbers apart.
 *
 * @param counts partitions of the leader's topics
 * @returns partition numbers by topic, by member id
 * @throws RecallError ERR_PARTITIONING where the topics differ in partitions; ERR_SOURCE_UNAVAILABLE where no member
 *   reads all topics: the workers have to be brought to one configuration
 */
export function dealTopics(
  groupId: string,
  members: readonly Member[],
  counts: ReadonlyMap<string, number>,
): Map<string, Record<string, number[]>> {
  const topics = [...new Set(members.flatMap((member) => member.topics))].sort();
  const complete = members.filter((member) => topics.every((topic) => member.topics.includes(topic)));
  if (complete.length === 0) {
    throw new RecallError(
      'ERR_SOURCE_UNAVAILABLE',
      `the members of consumer group ${groupId} read different topics, and none of them reads all of ${topics.join(', ')}: give all workers the same sources`,
    );
  }
  const dealt = dealNumbers(complete, commonCount(groupId, counts));
  return new Map(
    [...dealt].map(([id, numbers]) => [id, Object.fromEntries(topics.map((topic) => [topic, numbers]))]),
  );
}

/** Numbers as a member sends them to the leader. */
export function writeNumbers(numbers: readonly number[]): Buffer {
  return Buffer.from(numbers.join(','));
}

/** Numbers as {@link writeNumbers} wrote them; whatever else the bytes may hold is no number. */
export function readNumbers(bytes: Uint8Array = new Uint8Array()): number[] {
  const text = Buffer.from(bytes).toString('latin1');
  return text === '' ? [] : text.split(',').map(Number).filter(Number.isInteger);
}
