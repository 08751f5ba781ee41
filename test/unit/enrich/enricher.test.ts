import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AccessEvent } from '../../../schemas/access-event.ts';
import { config, type ConfigInput } from '../../../schemas/config.ts';
import { createEnricher, type Enricher } from '../../../src/enrich/enricher.ts';
import { createLogger } from '../../../src/telemetry/log.ts';

const event = (change: Partial<AccessEvent> = {}): AccessEvent => ({
  kind: 'access',
  event_id: 'event-1',
  time: Date.UTC(2026, 5, 1),
  client_ip: '203.0.113.7',
  sub: 'user-1',
  ...change,
});
const enrichConfig = (input: ConfigInput['enrich']) => config.parse({ enrich: input }).enrich;

describe('with the databases that ship with the product', () => {
  let enricher: Enricher;
  beforeAll(async () => {
    enricher = await createEnricher(
      enrichConfig({ trusted_proxies: ['10.0.0.0/8'] }),
      createLogger('silent'),
    );
  }, 60_000);
  afterAll(() => enricher.close());
  const enrich = (change: Partial<AccessEvent>) => enricher.enrich(event(change)).enrichment;

  test('IPv4 and IPv6 addresses are placed by the file of their family', () => {
    expect(enrich({ client_ip: '8.8.8.8' })).toMatchObject({
      ip: '8.8.8.8',
      country: 'US',
      city: expect.any(String) as string,
      latitude: expect.any(Number) as number,
      longitude: expect.any(Number) as number,
      asn: 15169,
      as_org: 'Google LLC',
      network: 'hosting',
      geo_build: expect.stringMatching(/^dbip-city-ipv4@\d{4}-\d\d-\d\d$/) as string,
      asn_build: expect.stringMatching(/^asn-ipv4@\d+\.\d+\.\d+$/) as string,
    });
    expect(enrich({ client_ip: '2001:4860:4860::8888' })).toMatchObject({
      ip: '2001:4860:4860::8888',
      asn: 15169,
      network: 'hosting',
      geo_build: expect.stringMatching(/^dbip-city-ipv6@/) as string,
      asn_build: expect.stringMatching(/^asn-ipv6@/) as string,
    });
  });

  test('one address in any spelling has one enrichment', () => {
    const canonical = enrich({ client_ip: '8.8.8.8' });
    for (const client_ip of [
      '::ffff:8.8.8.8',
      '::FFFF:0808:0808',
      '64:ff9b::8.8.8.8',
      '2002:808:808::1',
      '8.8.8.8:443',
    ]) {
      expect(enrich({ client_ip })).toEqual(canonical);
    }
    expect(enrich({ client_ip: '2001:4860:4860:0:0:0:0:8888' })).toEqual(
      enrich({ client_ip: '[2001:4860:4860::8888]:443' }),
    );
  });

  test('an IPv6 address that nobody has is not placed where its first 32 bits would be in the IPv4 file', () => {
    expect(enrich({ client_ip: '2001:db8::1' })).toEqual({ ip: '2001:db8::1', network: 'unknown' });
  });

  test.each(['10.1.2.3', '::ffff:192.168.1.1', '127.0.0.1', '100.64.9.9', 'fd00::1', 'fe80::1%eth0'])(
    '%s is private and nowhere',
    (client_ip) => {
      expect(enrich({ client_ip })).toEqual({ ip: expect.any(String) as string, network: 'private' });
    },
  );

  test('the X-Forwarded-For chain counts behind a trusted proxy only', () => {
    expect(enrich({ client_ip: '10.0.0.5', forwarded_for: ['1.1.1.1', '8.8.8.8'] }).ip).toBe('8.8.8.8');
    expect(enrich({ client_ip: '203.0.113.7', forwarded_for: ['8.8.8.8'] })).toEqual({
      ip: '203.0.113.7',
      network: 'unknown',
    });
  });

  test('the event itself stays as it was', () => {
    const before = event({ client_ip: '8.8.8.8', user_agent: 'okhttp/4.9', scope: ['read'] });
    const copy = structuredClone(before);
    const { enrichment, ...rest } = enricher.enrich(before);
    expect(rest).toEqual(copy);
    expect(before).toEqual(copy);
    expect(enrichment).toMatchObject({ ua_family: 'okhttp' });
    expect(enrich({ client_ip: '8.8.8.8' })).not.toHaveProperty('ua_family');
  });

  test('no event makes it throw, and nothing unknown is there as undefined', () => {
    const text = fc.oneof(
      fc.string(),
      fc.ipV4(),
      fc.ipV6(),
      fc.constant('10.0.0.1'),
      fc.constant('::ffff:10.0.0.1'),
    );
    fc.assert(
      fc.property(
        text,
        fc.option(fc.array(text), { nil: undefined }),
        fc.option(fc.string({ unit: 'binary' }), { nil: undefined }),
        (client_ip, forwarded_for, user_agent) => {
          const { enrichment } = enricher.enrich(event({ client_ip, forwarded_for, user_agent }));
          expect(Object.values(enrichment)).not.toContain(undefined);
          expect(enrichment.ip).toEqual(expect.any(String));
        },
      ),
      { numRuns: 500 },
    );
  });

  test('says its builds', () => {
    expect(enricher.builds().map((build) => build.split('@')[0])).toEqual([
      'dbip-city-ipv4',
      'dbip-city-ipv6',
      'asn-ipv4',
      'asn-ipv6',
    ]);
  });
});
