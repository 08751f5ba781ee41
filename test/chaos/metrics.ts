import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const PREFIX = 'token_recall_';
const TIMEOUT = 2_000;

/**
 * Counters of a worker, by name without prefix, of each `kind` where they have kinds, else summed over labels; empty where it does not answer, which is what
 * workers in trouble do.
 *
 * @param log where the worker said where its API listens
 * @param dataDir where it put the credentials it made for it
 */
export async function scrape(log: string, dataDir: string): Promise<Record<string, number>> {
  try {
    const url = /API\s+(http:\S+)\/docs/.exec(await readFile(log, 'utf8'))?.[1];
    if (url === undefined) return {};
    const credentials = JSON.parse(await readFile(join(dataDir, 'api-tokens.json'), 'utf8')) as Record<
      string,
      string
    >;
    const answer = await fetch(`${url}/metrics`, {
      headers: { authorization: `Bearer ${credentials['operator'] ?? ''}` },
      signal: AbortSignal.timeout(TIMEOUT),
    });
    return answer.ok ? countersIn(await answer.text()) : {};
  } catch {
    return {};
  }
}

/** Counters (`…_total`) of a text in the Prometheus exposition format. */
function countersIn(text: string): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const line of text.split('\n')) {
    const [, full, labels = '', value] = /^(\w+)_total(\{.*\})? (\S+)$/.exec(line) ?? [];
    if (full?.startsWith(PREFIX) !== true) continue;
    const kind = /kind="(\w+)"/.exec(labels)?.[1];
    const name = full.slice(PREFIX.length) + (kind === undefined ? '' : ` ${kind}`);
    sums[name] = (sums[name] ?? 0) + Number(value);
  }
  return sums;
}
