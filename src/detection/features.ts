import type { EnrichedAccessEvent } from '../../schemas/access-event.ts';

/** What a population takes up or does not, by name: the features whose adoption detectors ask for. */

/** A scope that tokens carry. */
export const scopeFeature = (scope: string): string => `scope:${scope}`;

/** `METHOD /route` as baselines keep it; undefined where the event has no route. */
export function operationOf(event: EnrichedAccessEvent): string | undefined {
  return event.route === undefined ? undefined : `${event.method ?? '*'} ${event.route}`;
}

/** A method on a route. */
export const routeFeature = (operation: string): string => `route:${operation}`;

/** An autonomous system that requests leave from, where it is no access network of people. */
export const egressFeature = (asn: number): string => `egress:${asn}`;

/** A kind of client program behind such an egress: what a backend that forwards its users' tokens looks like. */
export const relayFeature = (asn: number, family: string | undefined): string =>
  `relay:${asn} ${family ?? '-'}`;

/** All features that one use of a token shows. */
export function featuresOf(event: EnrichedAccessEvent): string[] {
  const features = event.scope?.map(scopeFeature) ?? [];
  const operation = operationOf(event);
  if (operation !== undefined) features.push(routeFeature(operation));
  const { asn, network, ua_family } = event.enrichment;
  if (asn !== undefined && (network === 'hosting' || network === 'anonymizer' || network === 'unknown')) {
    features.push(egressFeature(asn), relayFeature(asn, ua_family));
  }
  return features;
}
