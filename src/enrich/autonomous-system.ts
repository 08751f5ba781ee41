import type { Address } from './address.ts';

/** The autonomous system that announces an address. */
export interface AutonomousSystem {
  readonly asn: number;
  /** Name of the organisation. */
  readonly as_org?: string;
}

/** One loaded ASN database file. */
export interface AsnDatabase {
  readonly build: string;
  covers(family: Address['family']): boolean;
  /** The autonomous system of the address, or null where the file does not know. */
  lookup(address: Address): AutonomousSystem | null;
}
