import ipaddr from 'ipaddr.js';
import type { Action } from '../../schemas/action.ts';
import type { PolicyConfig } from '../../schemas/config.ts';
import type { Finding } from '../../schemas/finding.ts';

type Protected = PolicyConfig['never_revoke'];

/** Whether `address` lies in one of the networks (CIDR, or single addresses). */
function within(address: string, networks: readonly string[]): boolean {
  if (networks.length === 0 || !ipaddr.isValid(address)) return false;
  const ip = ipaddr.process(address);
  return networks.some((network) => {
    const range = network.includes('/') ? network : `${network}/${network.includes(':') ? 128 : 32}`;
    if (!ipaddr.isValidCIDR(range)) return false;
    const [base, bits] = ipaddr.parseCIDR(range);
    return base.kind() === ip.kind() && ip.match(base, bits);
  });
}

interface Concerned {
  iss?: string | undefined;
  sub?: string | undefined;
  client_id?: string | undefined;
}

/** Which entry of the never-revoke lists protects what is concerned, in words; null where none does. */
export function protectedBy(concerned: Concerned, never: Protected): string | null {
  if (concerned.sub !== undefined && never.subjects.includes(concerned.sub)) {
    return `subject ${concerned.sub} is on the never-revoke list`;
  }
  if (concerned.client_id !== undefined && never.clients.includes(concerned.client_id)) {
    return `client ${concerned.client_id} is on the never-revoke list`;
  }
  if (concerned.iss !== undefined && never.issuers.includes(concerned.iss)) {
    return `issuer ${concerned.iss} is on the never-revoke list`;
  }
  return null;
}

/** The same for findings, whose suspect address may be in a protected network too. */
export function findingsProtectedBy(findings: readonly Finding[], never: Protected): string | null {
  for (const finding of findings) {
    const entry = protectedBy(finding, never);
    if (entry !== null) return entry;
    // The finding's own event is the one that completed it, which may be the owner's.
    const suspectEvent = finding.measures['suspect_event'] ?? finding.event_id;
    const suspect = finding.evidence.find((use) => use.event_id === suspectEvent);
    if (suspect !== undefined && within(suspect.client_ip, never.networks)) {
      return `network of ${suspect.client_ip} is on the never-revoke list`;
    }
  }
  return null;
}

/**
 * Why an action must not be carried out now, or null. The outbox asks right before each attempt, also after a restart
 * with another configuration. What a person asked for is not stopped.
 */
export function guardAction(action: Action, policy: PolicyConfig): string | null {
  if (action.mode === 'shadow') return 'shadow mode: decided, not carried out';
  if (action.requested_by !== 'policy') return null;
  if (policy.mode === 'shadow') return 'policy.mode is shadow by now: decided, not carried out';
  return protectedBy(action, policy.never_revoke);
}
