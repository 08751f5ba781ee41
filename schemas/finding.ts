import { z } from 'zod';

/** What is recalled, narrowest first. */
export const handleKind = z.enum(['token', 'session', 'grant', 'subject', 'client', 'issuer']);
export type HandleKind = z.infer<typeof handleKind>;

/**
 * Independent kinds of evidence. A VPN changes `location` and nothing else, so a revocation
 * asks for two of them, or for one finding that is conclusive by itself.
 */
export const signal = z.enum(['location', 'device', 'binding', 'scope', 'endpoint', 'volume', 'lifecycle']);
export type Signal = z.infer<typeof signal>;

export const severity = z.enum(['low', 'medium', 'high', 'critical']);
export type Severity = z.infer<typeof severity>;

/** One use of a token, as an alert shows it. */
export const evidence = z.object({
  event_id: z.string().describe('Id of the event in `access_events`'),
  request_id: z.string().optional().describe("The gateway's id of the request"),
  time: z.number().describe('Event time, epoch milliseconds'),
  client_ip: z.string().describe('Address that counts, after trusted hops'),
  country: z.string().optional().describe('ISO 3166-1 alpha-2 country of the address'),
  city: z.string().optional().describe('City of the address'),
  asn: z.number().optional().describe('Autonomous system of the address'),
  network: z.string().optional().describe('Network class of the address'),
  user_agent: z.string().optional().describe('User-Agent header'),
  method: z.string().optional().describe('HTTP method'),
  route: z.string().optional().describe('Route template'),
  status: z.number().optional().describe('HTTP status'),
  geo_build: z.string().optional().describe('Build of the geo database that placed the address'),
});
export type Evidence = z.infer<typeof evidence>;

/** One detector's claim about one event. */
export const finding = z.object({
  finding_id: z.string().describe('A function of detector, target and event: a second run makes the same id'),
  detector: z.string().describe('Id of the detector'),
  time: z.number().describe('Event time of the event that completed the finding, epoch milliseconds'),
  event_id: z.string().describe('That event'),
  confidence: z.number().min(0).max(1).describe('How sure the detector is'),
  conclusive: z.boolean().describe('True where no honest explanation is left, such as a broken key binding'),
  signals: z.array(signal).describe('Independent kinds of evidence it rests on'),
  reason: z.string().describe('The claim in words'),
  measures: z
    .record(z.string(), z.union([z.number(), z.string(), z.boolean()]))
    .describe('The numbers behind it, and the thresholds they passed'),
  evidence: z.array(evidence).describe('The uses of the token it rests on, oldest first'),
  iss: z.string().optional(),
  sub: z.string().optional(),
  client_id: z.string().optional(),
  sid: z.string().optional(),
  jti: z.string().optional(),
  token_hash: z.string().optional(),
});
export type Finding = z.infer<typeof finding>;
