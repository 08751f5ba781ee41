import ipaddr from 'ipaddr.js';

/** What a record may hold. */
export type MmdbValue = string | number | boolean | MmdbValue[] | { [key: string]: MmdbValue };

type Node = { left: Branch; right: Branch };
type Branch = Node | { data: number } | null;

/**
 * Writes a small database in the MaxMind DB format (specification 2.0, 24-bit records), so that tests can have
 * databases of any schema and build. Whole numbers are written as uint32, others as double.
 *
 * @param records CIDR block and record; a later one that lies within an earlier one wins. In an IPv6 tree,
 *   IPv4 blocks go under ::/96, as the specification has it.
 */
export function writeMmdb(options: {
  type: string;
  ipVersion: 4 | 6;
  built: Date;
  records: readonly (readonly [cidr: string, record: MmdbValue])[];
}): Buffer {
  const root: Node = { left: null, right: null };
  const data: Buffer[] = [];
  let dataLength = 0;
  for (const [cidr, record] of options.records) {
    const bytes = encode(record);
    insert(root, bitsOf(cidr, options.ipVersion), { data: dataLength });
    data.push(bytes);
    dataLength += bytes.length;
  }

  const nodes: Node[] = [];
  const collect = (branch: Branch): void => {
    if (branch === null || 'data' in branch) return;
    nodes.push(branch);
    collect(branch.left);
    collect(branch.right);
  };
  collect(root);
  const numbers = new Map(nodes.map((node, i) => [node, i]));
  const value = (branch: Branch): number =>
    branch === null
      ? nodes.length
      : 'data' in branch
        ? nodes.length + 16 + branch.data
        : numbers.get(branch)!;
  const tree = Buffer.alloc(nodes.length * 6);
  nodes.forEach((node, i) => {
    tree.writeUIntBE(value(node.left), i * 6, 3);
    tree.writeUIntBE(value(node.right), i * 6 + 3, 3);
  });

  const metadata = encode({
    binary_format_major_version: 2,
    binary_format_minor_version: 0,
    build_epoch: Math.floor(options.built.getTime() / 1000),
    database_type: options.type,
    description: { en: options.type },
    ip_version: options.ipVersion,
    languages: ['en'],
    node_count: nodes.length,
    record_size: 24,
  });
  const marker = Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1');
  return Buffer.concat([tree, Buffer.alloc(16), ...data, marker, metadata]);
}

function bitsOf(cidr: string, ipVersion: 4 | 6): number[] {
  const [address, prefix] = ipaddr.parseCIDR(cidr);
  const bits = address.toByteArray().flatMap((byte) => [7, 6, 5, 4, 3, 2, 1, 0].map((i) => (byte >> i) & 1));
  const own = bits.slice(0, prefix);
  return ipVersion === 6 && address.kind() === 'ipv4' ? [...new Array<number>(96).fill(0), ...own] : own;
}

function insert(root: Node, bits: readonly number[], leaf: { data: number }): void {
  let node = root;
  bits.forEach((bit, i) => {
    const side = bit === 1 ? 'right' : 'left';
    if (i === bits.length - 1) {
      node[side] = leaf;
      return;
    }
    const next = node[side];
    // A leaf above a more specific block hands its record down to both halves.
    const below: Node = next === null || 'data' in next ? { left: next, right: next } : next;
    node[side] = below;
    node = below;
  });
}

function encode(value: MmdbValue): Buffer {
  if (typeof value === 'string') {
    const bytes = Buffer.from(value);
    return Buffer.concat([control(2, bytes.length), bytes]);
  }
  if (typeof value === 'boolean') return control(14, value ? 1 : 0);
  if (typeof value === 'number') {
    const whole = Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff;
    const bytes = Buffer.alloc(whole ? 4 : 8);
    if (whole) bytes.writeUInt32BE(value);
    else bytes.writeDoubleBE(value);
    return Buffer.concat([control(whole ? 6 : 3, bytes.length), bytes]);
  }
  if (Array.isArray(value)) return Buffer.concat([control(11, value.length), ...value.map(encode)]);
  const entries = Object.entries(value);
  return Buffer.concat([
    control(7, entries.length),
    ...entries.flatMap(([key, item]) => [encode(key), encode(item)]),
  ]);
}

/** The control byte of a field: its type in three bits (or in a byte of its own from 8 on), its size in five. */
function control(type: number, size: number): Buffer {
  const [low, extra] =
    size < 29 ? [size, []] : size < 285 ? [29, [size - 29]] : [30, [(size - 285) >> 8, (size - 285) & 0xff]];
  return Buffer.from(type < 8 ? [(type << 5) | low, ...extra] : [low, type - 7, ...extra]);
}
