import { blockOf } from '../../src/detection/client-context.ts';
import { originOfUse, type Shared, type Use } from '../../src/detection/use.ts';

/** Openers kept of sessions that are gone: those seen last. */
const MAX_OPENERS = 12;

/** A kind of device on a network that opened a session: what the subject signs in with is its own. */
export interface Opener {
  ip: string;
  asn?: number | undefined;
  city?: string | undefined;
  family?: string | undefined;
  os?: string | undefined;
  /** First time a session was opened like that. */
  time: number;
  /** Latest such time. */
  last: number;
}

/** Who opened a session, by its first use. */
export function openerOf(shared: Shared, first: Use): Opener {
  const { asn, city, family, os } = originOfUse(shared, first);
  return { ip: first.ip, asn, city, family, os, time: first.time, last: first.time };
}

function isAlike(a: Opener, b: Opener): boolean {
  return (
    a.asn === b.asn &&
    a.city === b.city &&
    a.family === b.family &&
    a.os === b.os &&
    (a.asn !== undefined || blockOf(a.ip) === blockOf(b.ip))
  );
}

/**
 * Adds an opener to those known, once for each kind of device and network: with the first time and its address, and
 * the latest. The result does not depend on the order openers are added in, up to the bound.
 */
export function retire(openers: readonly Opener[], opener: Opener): Opener[] {
  const alike = openers.find((one) => isAlike(one, opener));
  if (alike === undefined) {
    return [...openers, opener]
      .sort((a, b) => b.last - a.last || a.time - b.time || (a.ip < b.ip ? -1 : 1))
      .slice(0, MAX_OPENERS);
  }
  const isEarlier =
    opener.time < alike.time || (opener.time === alike.time && opener.ip < alike.ip) ? opener : alike;
  const merged = { ...isEarlier, last: Math.max(alike.last, opener.last) };
  return openers.map((one) => (one === alike ? merged : one));
}
