import type { Alert } from '../../../schemas/alert.ts';

const TIME = Date.parse('2026-03-01T09:30:00.000Z');

/** An alert with every field, of a token replayed from a second network; `change` overrides. */
export function alertOf(change: Partial<Alert> = {}): Alert {
  const evidence: Alert['evidence'] = [
    {
      event_id: 'event-1',
      request_id: 'request-1',
      time: TIME - 60_000,
      client_ip: '192.0.2.10',
      country: 'DE',
      city: 'Berlin',
      asn: 64500,
      network: 'residential',
      user_agent: 'Example/1.0',
      method: 'GET',
      route: '/orders/{id}',
      status: 200,
      geo_build: 'dbip-city-ipv4@2026-06-05',
    },
    { event_id: 'event-2', time: TIME, client_ip: '198.51.100.7', user_agent: 'curl/8.0' },
  ];
  return {
    alert_id: 'alert-1',
    version: 1,
    time: TIME,
    updated: TIME,
    severity: 'high',
    risk: 0.97,
    findings: [
      {
        finding_id: 'finding-1',
        detector: 'token-replay',
        time: TIME,
        event_id: 'event-2',
        confidence: 0.9,
        conclusive: false,
        signals: ['location', 'device'],
        reason: 'two client contexts alive at once',
        measures: { interleavings: 3 },
        evidence,
        sub: 'user-1',
      },
    ],
    iss: 'https://as.example.com',
    sub: 'user-1',
    client_id: 'client-1',
    sid: 'session-1',
    jti: 'jti-1',
    token_hash: 'fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo',
    decision: {
      action: 'revoke',
      handle: 'token',
      value: 'jti-1',
      mode: 'enforce',
      reason: 'risk 0.97 with two signals',
    },
    evidence,
    summary: 'The token of user-1 at client-1 is used from two places at once.',
    ...change,
  };
}
