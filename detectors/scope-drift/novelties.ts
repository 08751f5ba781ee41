import type { EnrichedAccessEvent } from '../../schemas/access-event.ts';
import { operationOf, routeFeature, scopeFeature } from '../../src/detection/features.ts';
import { isMachine } from '../../src/detection/keys.ts';
import { isBefore, useOf, type Use } from '../../src/detection/use.ts';
import { least, noteFirst } from './firsts.ts';
import { MAX_LEARNING_EVENTS } from './options.ts';
import { lookedAt } from './scopes.ts';
import type { State } from './state.ts';

const DAY = 86_400_000;
const MAX_DAYS = 8;
/** A grant that uses more than this has no baseline worth the name; its routes are not templates, most likely. */
const BASELINE = { names: 256, characters: 6000 };

/** A use that was the first of the grant to show something. */
export interface Novelty {
  use: Use;
  machine: boolean;
  /** Whether it came out of an anonymizer, where nothing is learned: the first use elsewhere is another novelty. */
  hidden: boolean;
  scopes: string[];
  operations: string[];
}

/** Keeps the `limit` smallest distinct numbers, sorted. */
function keepEarliest(list: number[], value: number, limit: number): void {
  if (list.length >= limit && value >= (list.at(-1) ?? value)) return;
  if (list.includes(value)) return;
  list.push(value);
  list.sort((a, b) => a - b);
  if (list.length > limit) list.pop();
}

export function isWrite(method: string | undefined): boolean {
  return method === 'POST' || method === 'PUT' || method === 'PATCH' || method === 'DELETE';
}

const featuresOf = ({ scopes, operations }: Novelty) => [
  ...scopes.map(scopeFeature),
  ...operations.map(routeFeature),
];

/** Takes features from the uses that were thought to be the first to show them. */
function release(
  state: State,
  features: readonly string[],
  isNone: (one: Novelty) => boolean = () => true,
): void {
  for (const novelty of state.novelties.filter(isNone)) {
    novelty.scopes = novelty.scopes.filter((one) => !features.includes(scopeFeature(one)));
    novelty.operations = novelty.operations.filter((one) => !features.includes(routeFeature(one)));
  }
  state.novelties = state.novelties.filter((one) => one.scopes.length + one.operations.length > 0);
}

/** Name in the baseline of a feature as it came out of anonymizers. */
const hiddenName = (feature: string) => `hidden ${feature}`;

/** Whether the event is the first use of the feature, as far as is known: at all, or out of an anonymizer. */
function isFirst(state: State, feature: string, event: EnrichedAccessEvent, hidden: boolean): boolean {
  const { times, fullSince } = state.baseline;
  if (hidden && (times[feature] ?? Infinity) <= event.time) return false;
  const first = times[hidden ? hiddenName(feature) : feature];
  if (first === undefined) return fullSince === null || event.time < fullSince;
  if (event.time !== first) return event.time < first;
  const holder = state.novelties.find((one) => one.hidden === hidden && featuresOf(one).includes(feature));
  return holder !== undefined && isBefore(event, holder.use);
}

/** Takes up what a use shows. Returns whether it is the first one to show any of it. */
export function recordFeatures(state: State, event: EnrichedAccessEvent): boolean {
  const hidden = event.enrichment.network === 'anonymizer';
  if (!hidden) {
    if (isWrite(event.method)) state.firstWrite = least(state.firstWrite, event.time);
    keepEarliest(state.early, event.time, MAX_LEARNING_EVENTS);
    keepEarliest(state.days, Math.floor(event.time / DAY), MAX_DAYS);
  }
  const operation = operationOf(event);
  const isNew = (feature: string) => isFirst(state, feature, event, hidden);
  const scopes = lookedAt(event.scope ?? []).filter((one) => isNew(scopeFeature(one)));
  const operations = operation !== undefined && isNew(routeFeature(operation)) ? [operation] : [];
  if (scopes.length + operations.length === 0) return false;
  const { time } = event;
  const novelty = { use: useOf(state.shared, event), machine: isMachine(event), hidden, scopes, operations };
  const features = featuresOf(novelty);
  release(state, features, (one) => one.hidden === hidden || (one.hidden && one.use.time >= time));
  state.novelties.push(novelty);
  state.novelties.sort((a, b) => (isBefore(a.use, b.use) ? -1 : 1));
  const names = hidden ? features.map(hiddenName) : features;
  for (const one of names) noteFirst(state.baseline, one, time, BASELINE);
  return true;
}
