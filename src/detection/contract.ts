import type { z } from 'zod';
import type { EnrichedAccessEvent } from '../../schemas/access-event.ts';
import type { AuthorizationEvent } from '../../schemas/authorization-event.ts';
import type { Evidence, Severity, Signal } from '../../schemas/finding.ts';

/** What detectors see: access events and authorization events, told apart by `kind`. */
export type StreamEvent = EnrichedAccessEvent | AuthorizationEvent;

/** Which events share a state, and so must be handled in one place. */
export type KeyScope = 'token' | 'session' | 'subject' | 'client';

/** A detector's claim, before the runtime adds what it knows: ids and times. */
export interface FindingDraft {
  /**
   * Which of its claims the detector makes, such as `moved`. Detector, claim, suspect use and token are the
   * identity of a finding: the same four are the same finding, however often it is completed.
   */
  kind: string;
  /** 0 to 1. A finding is a confidence; policy decides. 0 withdraws: what arrived late explains the use. */
  confidence: number;
  /** The claim in one sentence, with its numbers. */
  reason: string;
  /** Independent kinds of evidence it rests on. */
  signals: readonly Signal[];
  /** True where no honest explanation is left. */
  conclusive?: boolean;
  /** Numbers and the thresholds they passed, by name. */
  measures: Record<string, number | string | boolean>;
  /** The uses it rests on, oldest first, the suspect one among them. */
  evidence: readonly Evidence[];
  /**
   * The access event that is suspect. It need not be the evaluated one: any event can complete
   * a finding about an earlier use, and one that arrives late about a later use too.
   */
  suspect: SuspectUse;
}

/** Identity of a suspect use, as kept in state. */
export interface SuspectUse {
  event_id: string;
  time: number;
  iss?: string | undefined;
  sub?: string | undefined;
  client_id?: string | undefined;
  sid?: string | undefined;
  jti?: string | undefined;
  token_hash?: string | undefined;
}

/** How widely the population of a client uses a feature (a scope, a route), as of an event time. */
export interface Adoption {
  /** Distinct subjects of the client that had used the feature by then; counts above 64 are estimates. */
  subjects: number;
  /** Distinct subjects of the client seen by then. */
  population: number;
  /** Event time of the first use by anybody, or null where nobody had used it by then. */
  firstSeen: number | null;
}

/** What surrounds one evaluation. Nothing in it depends on the wall clock. */
export interface DetectorContext<C> {
  readonly config: C;
  /**
   * How far behind the latest event another may arrive, ms. What is older than that is settled: nothing that is still to
   * come can change it, in any order of arrival that is allowed.
   */
  readonly allowedLateness: number;
  /**
   * Adoption of a feature (see features.ts) among the subjects of a client (a `clientKey`), as of event time `at`.
   * It looks across keys, so unlike keyed state it can only count what has arrived.
   */
  adoption(client: string, feature: string, at: number): Adoption;
}

/**
 * A detector: pure code from an event and its keyed state to findings.
 *
 * `evaluate` is synchronous and deterministic; `state` is plain JSON-like data that it owns and may mutate.
 * It must not depend on the order of arrival more than it must: keep a bounded, time-sorted history and look
 * at the neighbours of the event on both sides, so that the finding is the same whichever arrives last.
 */
export interface DetectorDefinition<S, C> {
  /** Folder name under detectors/. */
  readonly id: string;
  readonly title: string;
  /** What it catches, in two or three sentences for an analyst. */
  readonly description: string;
  /** MITRE ATT&CK technique ids. */
  readonly attack: readonly string[];
  readonly severity: Severity;
  /** What an analyst does with a finding: steps, Markdown. */
  readonly runbook: string;
  /** Honest behaviour that may look the same. */
  readonly falsePositives: readonly string[];
  /** Options, every one described and defaulted. */
  readonly config: z.ZodType<C>;
  readonly scope: KeyScope;
  /** Raised whenever the shape of the state changes. */
  readonly stateVersion: number;
  /**
   * Makes a state of this version of one of an older version `from`, as read from a checkpoint; undefined where nothing
   * can be made of it, and the key begins anew. Needed from version 2 on.
   */
  migrate?(state: unknown, from: number): S | undefined;
  initial(): S;
  /** Key of the state the event belongs to, or null where the detector has no use for the event. */
  key(event: StreamEvent): string | null;
  evaluate(event: StreamEvent, state: S, ctx: DetectorContext<C>): FindingDraft[] | undefined;
  /**
   * Judges the state anew without a new event. The runtime asks once the population that `evaluate` consulted through
   * `ctx.adoption` is complete, so that what is claimed in the end depends on the events alone, not on their order.
   */
  review?(state: S, ctx: DetectorContext<C>): FindingDraft[] | undefined;
  /** How long, in ms of event time after its last event, a key's state is kept. */
  ttl(config: C): number;
}

/** A detector of any state and configuration, as the registry and the runtime hold it. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the one place where detectors of all shapes meet
export type AnyDetector = DetectorDefinition<any, any>;

/** Declares a detector; gives its types to the checker and changes nothing. */
export function defineDetector<S, C>(definition: DetectorDefinition<S, C>): DetectorDefinition<S, C> {
  return definition;
}
