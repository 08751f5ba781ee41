import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { toOcsf, type OcsfContext } from '../../../src/alerts/ocsf.ts';
import { defineDetector, type AnyDetector } from '../../../src/detection/contract.ts';
import { alertOf } from './alert.ts';

const detector: AnyDetector = defineDetector({
  id: 'token-replay',
  title: 'Token replay',
  description: 'One token, two client contexts.',
  attack: ['T1550.001', 'T1528'],
  severity: 'high',
  runbook: 'Ask the owner.',
  falsePositives: [],
  config: z.object({}),
  scope: 'token',
  stateVersion: 1,
  initial: () => ({}),
  key: () => null,
  evaluate: () => undefined,
  ttl: () => 0,
});
const context: OcsfContext = {
  publicUrl: 'https://recall.example.com',
  productVersion: '0.1.0',
  detectors: [detector],
};

/**
 * Attributes that OCSF 1.8.0 requires of class 2004 and of the objects used, and of which at least one must be there.
 * Source: ocsf-schema, tag 1.8.0: events/findings/detection_finding.json, finding.json, events/base_event.json,
 * objects/{finding_info,metadata,product,analytic,attack,evidences,actor,user,network_endpoint,autonomous_system,
 * location,resource_details,observable,remediation}.json.
 */
const REQUIRED: [path: string, all: string[], oneOf?: string[]][] = [
  [
    '',
    [
      'activity_id',
      'category_uid',
      'class_uid',
      'finding_info',
      'metadata',
      'severity_id',
      'time',
      'type_uid',
    ],
  ],
  ['finding_info', ['uid']],
  ['metadata', ['product', 'version']],
  ['metadata.product', [], ['name', 'uid']],
  ['finding_info.analytic', ['type_id'], ['name', 'uid']],
  ['finding_info.attacks[]', [], ['technique', 'sub_technique', 'tactic']],
  ['finding_info.attacks[].technique', [], ['name', 'uid']],
  ['evidences[]', [], ['actor', 'data', 'src_endpoint', 'url', 'user']],
  ['evidences[].actor', [], ['user', 'session', 'app_name', 'app_uid', 'process', 'invoked_by']],
  ['evidences[].actor.user', [], ['account', 'name', 'uid']],
  ['evidences[].src_endpoint', [], ['ip', 'uid', 'name', 'hostname', 'svc_name', 'domain']],
  ['evidences[].src_endpoint.autonomous_system', [], ['number', 'name']],
  ['evidences[].src_endpoint.location', [], ['city', 'country', 'postal_code', 'region']],
  ['evidences[].http_response', ['code']],
  ['resources[]', [], ['name', 'uid']],
  ['observables[]', ['type_id']],
  ['remediation', ['desc']],
];

/** Every object at a path; `[]` goes into each element. Objects that are absent are not visited. */
function at(value: unknown, path: string): object[] {
  if (path === '') return [value as object];
  const [head = '', ...rest] = path.split('.');
  const next = (value as Record<string, unknown>)[head.replace('[]', '')];
  if (next === undefined) return [];
  return (Array.isArray(next) ? next : [next]).flatMap((one) => at(one, rest.join('.')));
}

describe('OCSF Detection Finding', () => {
  it.each(REQUIRED)('carries what OCSF requires of %s', (path, all, oneOf) => {
    const places = at(toOcsf(alertOf(), context), path);
    expect(places.length).toBeGreaterThan(0);
    for (const place of places) {
      expect(Object.keys(place)).toEqual(expect.arrayContaining(all));
      if (oneOf !== undefined) expect(Object.keys(place).some((key) => oneOf.includes(key))).toBe(true);
    }
  });

  it('carries no key without a value, whatever the alert lacks', () => {
    const bare = alertOf({
      ...{ iss: undefined, sub: undefined, client_id: undefined, sid: undefined },
      ...{ jti: undefined, token_hash: undefined },
      evidence: [{ event_id: 'event-1', time: 0, client_ip: '192.0.2.1' }],
    });
    const visit = (value: unknown): void => {
      expect(value).not.toBeUndefined();
      if (Array.isArray(value)) value.forEach(visit);
      else if (typeof value === 'object' && value !== null) {
        expect(Object.keys(value).length, JSON.stringify(value)).toBeGreaterThan(0);
        Object.values(value).forEach(visit);
      }
    };
    visit(toOcsf(bare, context));
    expect(toOcsf(bare, context).evidences[0]).not.toHaveProperty('actor');
  });

  it('says who, from where, with what, and what to do', () => {
    const finding = toOcsf(alertOf(), context);
    expect(finding).toMatchObject({
      class_uid: 2004,
      category_uid: 2,
      type_uid: 200401,
      activity_id: 1,
      time: Date.parse('2026-03-01T09:30:00Z'),
      start_time: Date.parse('2026-03-01T09:29:00Z'),
      severity_id: 4,
      status_id: 1,
      risk_score: 97,
      risk_level_id: 4,
      confidence_score: 90,
      is_alert: true,
      metadata: { version: '1.8.0', product: { version: '0.1.0' } },
    });
    expect(finding.finding_info).toMatchObject({
      uid: 'alert-1',
      title: 'Token replay',
      src_url: 'https://recall.example.com/v1/detectors/token-replay',
      analytic: { uid: 'token-replay', type_id: 2 },
      attacks: [
        {
          technique: { uid: 'T1550' },
          sub_technique: { uid: 'T1550.001', name: 'Application Access Token' },
        },
        { technique: { uid: 'T1528', src_url: 'https://attack.mitre.org/techniques/T1528/' } },
      ],
    });
    expect(finding.evidences[0]).toMatchObject({
      actor: { user: { uid: 'user-1' }, session: { uid: 'session-1' }, app_uid: 'client-1' },
      src_endpoint: {
        ip: '192.0.2.10',
        location: { city: 'Berlin', country: 'DE' },
        autonomous_system: { number: 64500 },
      },
      http_request: { http_method: 'GET', url: { path: '/orders/{id}' }, user_agent: 'Example/1.0' },
      http_response: { code: 200 },
    });
    expect(finding.remediation.desc).toContain('Recall token jti-1 (enforce)');
    expect(finding.observables).toContainEqual(
      expect.objectContaining({ type_id: 2, value: '198.51.100.7' }) as unknown,
    );
  });

  it('is an update once the alert has grown', () => {
    const grown = toOcsf(alertOf({ updated: alertOf().time + 1000 }), context);
    expect(grown).toMatchObject({ activity_id: 2, type_uid: 200402, time: alertOf().time });
    expect(grown.finding_info.modified_time).toBe(alertOf().time + 1000);
  });

  it.each([
    [{ status: 'acknowledged' }, 2, 1],
    [{ status: 'resolved', verdict: 'true_positive' }, 4, 3],
    [{ status: 'resolved', verdict: 'false_positive' }, 3, 3],
    [{ status: 'resolved', verdict: 'benign' }, 3, 3],
  ] as const)('of %o has status %i and activity %i', (review, status, activity) => {
    expect(toOcsf(alertOf(), { ...context, review })).toMatchObject({
      status_id: status,
      activity_id: activity,
    });
  });

  it('links to no runbook where there is no API', () => {
    const finding = toOcsf(alertOf(), { ...context, publicUrl: undefined });
    expect(finding.finding_info).not.toHaveProperty('src_url');
    expect(finding.remediation).not.toHaveProperty('references');
  });

  it('names a detector it does not know by its id', () => {
    const { finding_info } = toOcsf(alertOf(), { ...context, detectors: [] });
    expect(finding_info).toMatchObject({
      analytic: { uid: 'token-replay', name: 'token-replay' },
      attacks: [],
    });
  });
});
