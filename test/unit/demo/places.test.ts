import { afterAll, beforeAll, expect, test } from 'vitest';
import { LONDON, LONDON_PROXY, LYON, NETWORKS, SINGAPORE } from '../../../src/demo/places.ts';
import { createEnricher, type Enricher } from '../../../src/enrich/enricher.ts';
import { config } from '../../../schemas/config.ts';
import { createLogger } from '../../../src/telemetry/log.ts';

let enricher: Enricher;
beforeAll(async () => {
  const { enrich } = config.parse({ enrich: { trusted_proxies: ['127.0.0.0/8'] } });
  enricher = await createEnricher(enrich, createLogger('silent'));
}, 60_000);
afterAll(() => enricher.close());

/** Where the product places an address that the demo's load balancer passed on. */
const place = (address: string) =>
  enricher.enrich({
    kind: 'access',
    event_id: address,
    time: Date.UTC(2026, 0, 1),
    client_ip: '127.0.0.1',
    forwarded_for: [address],
  }).enrichment;

test.each(NETWORKS)(
  'addresses under $prefix are $network in $country ($city, $operator)',
  ({ prefix, country, network }) => {
    for (const host of [2, 60, 128, 200, 253]) {
      const found = place(`${prefix}.${host}`);
      expect(found).toMatchObject({ ip: `${prefix}.${host}`, country, network });
      expect([found.latitude, found.longitude, found.asn]).toEqual([
        expect.any(Number),
        expect.any(Number),
        expect.any(Number),
      ]);
    }
  },
);

test.each([LYON, SINGAPORE, LONDON, LONDON_PROXY])(
  'the story says $city, and so does the database',
  (where) => {
    expect(place(`${where.prefix}.77`).city).toContain(where.city);
  },
);

test('the proxy is another line than the victim’s, in the same city', () => {
  const [owner, proxy] = [place(`${LONDON.prefix}.9`), place(`${LONDON_PROXY.prefix}.9`)];
  expect(proxy.asn).not.toBe(owner.asn);
});
