import type { Signal } from '../../schemas/finding.ts';
import type { DetectorContext, FindingDraft } from '../../src/detection/contract.ts';
import { routeFeature, scopeFeature } from '../../src/detection/features.ts';
import { clientKey } from '../../src/detection/keys.ts';
import { evidenceOfUse, partyOf, suspectOfUse, type Use } from '../../src/detection/use.ts';
import { isWrite, type Novelty } from './novelties.ts';
import type { Options } from './options.ts';
import { scopesOf } from './scopes.ts';
import { sensitivityOf } from './sensitivity.ts';
import { isOpen, type State } from './state.ts';

const DAY = 86_400_000;

/** Whether the grant had a baseline by the time of `use`, and one that still told what is new. */
function isLearned(state: State, use: Use, { learning_events, learning_days }: Options): boolean {
  if (use.time >= (state.baseline.fullSince ?? Infinity)) return false;
  const enough = (state.early[learning_events - 1] ?? Infinity) < use.time;
  const today = Math.floor(use.time / DAY);
  return enough && state.days.filter((day) => day < today).length >= learning_days;
}

/** How the subjects of the client stand to something that is new to one of them. */
type Peers = 'common' | 'some' | 'none';

/**
 * common: a release, or nothing special. some: others have used it for long, few of them: a matter of role.
 * none: nobody has used it for long, so it may be the first day of a release.
 */
function peersOf(feature: string, client: string, use: Use, ctx: DetectorContext<Options>): Peers {
  const { release_subjects, release_window, common_share } = ctx.config;
  const { subjects, population, firstSeen } = ctx.adoption(client, feature, use.time);
  // The subject itself is among those counted.
  const others = Math.max(0, subjects - 1);
  if (population > 1 && others / (population - 1) >= common_share && others >= 2) return 'common';
  const isOld = firstSeen !== null && firstSeen <= use.time - release_window;
  if (isOld) return others > 0 ? 'some' : 'none';
  return others >= release_subjects ? 'common' : 'none';
}

/** What is new within one window, less what peers or a consent explain. */
interface News {
  scopes: string[];
  operations: string[];
  sensitiveScopes: string[];
  sensitiveOperations: string[];
  /** Whether what is sensitive about it is known from few peers. */
  roleBound: boolean;
}

function newsAt(novelty: Novelty, client: string, state: State, ctx: DetectorContext<Options>): News {
  const { config } = ctx;
  const { use, machine } = novelty;
  const recent = state.novelties.filter(
    (one) =>
      one.use.time <= use.time &&
      one.use.time > use.time - config.window &&
      isLearned(state, one.use, config),
  );
  const consented = new Set(
    state.consents
      .filter(({ time }) => time <= use.time && time > use.time - config.release_window)
      .flatMap(({ scope }) => scopesOf(state, scope)),
  );
  const peers = new Map<string, Peers>();
  const isNews = (name: string, feature: string) => {
    const standing = machine ? 'none' : peersOf(feature, client, use, ctx);
    peers.set(name, standing);
    return standing !== 'common';
  };
  const scopes = recent
    .flatMap((one) => one.scopes)
    .filter((scope) => !consented.has(scope) && isNews(scope, scopeFeature(scope)));
  const operations = recent
    .flatMap((one) => one.operations)
    .filter((operation) => isNews(operation, routeFeature(operation)));
  const sensitivity = sensitivityOf(config);
  const { firstWrite } = state;
  const neverWrote =
    firstWrite === null || firstWrite > use.time || recent.some((one) => firstWrite === one.use.time);
  const sensitiveScopes = scopes.filter((scope) => sensitivity.scope(scope));
  const sensitiveOperations = operations.filter(
    (one) => sensitivity.operation(one) || (neverWrote && isWrite(one.split(' ', 1)[0])),
  );
  const roleBound = [...sensitiveScopes, ...sensitiveOperations].some((name) => peers.get(name) === 'some');
  return { scopes, operations, sensitiveScopes, sensitiveOperations, roleBound };
}

/** How sure the detector is that the grant has drifted; undefined where what is new means little. */
function grade(
  news: News,
  { machine, peers }: { machine: boolean; peers: number },
  options: Options,
): { confidence: number; signals: Signal[] } | undefined {
  const { scopes, operations, sensitiveScopes, sensitiveOperations, roleBound } = news;
  if (sensitiveScopes.length > 0 && sensitiveOperations.length > 0) {
    const signals: Signal[] = ['scope', 'endpoint'];
    const strong = sensitiveOperations.length > 1 ? 0.93 : 0.9;
    if (machine) return { confidence: strong, signals };
    if (peers < options.min_peers) return { confidence: 0.75, signals };
    if (roleBound) return { confidence: strong, signals };
    // The first users of a release look the same, unless what they take to is never released to people like them.
    const privileged = sensitiveScopes.some((scope) => sensitivityOf(options).privileged(scope));
    return { confidence: privileged && sensitiveOperations.length > 1 ? 0.9 : 0.6, signals };
  }
  if (sensitiveScopes.length > 0) {
    return operations.length > 0
      ? { confidence: 0.65, signals: ['scope', 'endpoint'] }
      : { confidence: 0.55, signals: ['scope'] };
  }
  if (sensitiveOperations.length > 0) {
    const confidence = sensitiveOperations.length > 2 ? 0.6 : sensitiveOperations.length > 1 ? 0.45 : 0.4;
    return { confidence, signals: ['endpoint'] };
  }
  if (scopes.length > 0 && operations.length > 0) return { confidence: 0.35, signals: ['scope', 'endpoint'] };
  return operations.length > 4 ? { confidence: 0.35, signals: ['endpoint'] } : undefined;
}

/**
 * Drift: a grant that has a baseline takes to scopes and routes outside of it. Claims are made on the uses that bring
 * something new, and only where they say more than the claims of the same window before them, so that a drift of
 * any length leads to a handful.
 */
export function judgeDrift(state: State, ctx: DetectorContext<Options>): FindingDraft[] {
  const { config } = ctx;
  const lateness = ctx.allowedLateness;
  const claims: FindingDraft[] = [];
  const told = state.standing.filter(({ kind, time }) => kind === 'drift' && !isOpen(state, time, lateness));
  for (const novelty of state.novelties) {
    const { use, machine } = novelty;
    if (!isOpen(state, use.time, lateness) || !isLearned(state, use, config)) continue;
    const client = clientKey(partyOf(state.shared, use.token)) ?? '';
    const peers = machine ? 0 : ctx.adoption(client, '', use.time).population - 1;
    const news = newsAt(novelty, client, state, ctx);
    const graded = grade(news, { machine, peers }, config);
    if (graded === undefined) continue;
    const before = [
      ...told,
      ...claims.map(({ suspect, confidence }) => ({ time: suspect.time, confidence })),
    ];
    const recent = before.filter(({ time }) => time > use.time - config.window);
    if (recent.some(({ confidence }) => confidence >= graded.confidence)) continue;
    claims.push({
      kind: 'drift',
      ...graded,
      reason: reasonOf(news, machine, peers),
      measures: {
        new_scopes: news.scopes.join(' '),
        new_operations: news.operations.join(', '),
        sensitive_scopes: news.sensitiveScopes.length,
        sensitive_operations: news.sensitiveOperations.length,
        baseline_features: Object.keys(state.baseline.times).length,
        ...(!machine && { peers }),
      },
      suspect: suspectOfUse(state.shared, use),
      evidence: [evidenceOfUse(state.shared, use)],
    });
  }
  return claims;
}

function reasonOf({ scopes, operations, roleBound }: News, machine: boolean, peers: number): string {
  const list = (items: string[]) =>
    items.slice(0, 4).join(', ') + (items.length > 4 ? ` and ${items.length - 4} more` : '');
  const parts = [
    ...(scopes.length > 0 ? [`scopes it never used (${list(scopes)})`] : []),
    ...(operations.length > 0 ? [`routes it never called (${list(operations)})`] : []),
  ];
  const against = machine
    ? 'its own baseline'
    : roleBound
      ? `its own baseline; few of the ${peers} other users of the client use them`
      : `its own baseline; none of the ${peers} other users of the client has used them for long`;
  return `${machine ? 'The client' : 'The grant'} takes to ${parts.join(' and ')}, held against ${against}`;
}
