import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { maskCredentials, maskTokens } from '../../../src/formats/mask.ts';

const mask = (text: string, max = 2_000) => maskTokens(Buffer.from(text), max);
const token = () => randomBytes(24).toString('base64url');

describe('maskTokens', () => {
  it('leaves what people need to see', () => {
    const line = '{"time":"2026-01-05T10:00:00Z","client_ip":"203.0.113.7","sub":"user-1","status":200}';
    expect(mask(line)).toBe(line);
    expect(mask('not a log line at all')).toBe('not a log line at all');
  });

  it('masks every run of 16 token characters, escaped ones too', () => {
    const secret = token();
    expect(mask(`{"x":"${secret}"}`)).toBe('{"x":"[masked]"}');
    expect(mask(`abc ${secret} def`)).toBe('abc [masked] def');
    expect(mask('abcdefghijklmnop abcdefghijklmno')).toBe('[masked] abcdefghijklmno');
    expect(mask('a\\/b'.repeat(8))).toBe('[masked]');
    expect(mask('a%2Fb'.repeat(8))).toBe('[masked]');
  });

  it.each([
    '{"token":"short"}',
    '{"access_token": "short", "a": 1}',
    '{"token":"short',
    "{'refreshToken':'short'}",
    'token=short&a=1',
    'Authorization: short',
    '"{\\"token\\":\\"short\\"}"',
    '{"token":["short"]}',
    '{"cookie":{"a":"short"}}',
    '{"x_client_secret_value":"short"}',
    '{"token":"sh\\"short"}',
  ])('masks short values of credential keys: %s', (text) => {
    expect(mask(text)).not.toContain('short');
  });

  it('sees through UTF-16 and control characters, and cuts between characters', () => {
    const secret = token();
    expect(maskTokens(Buffer.from(`{"x":"${secret}"}`, 'utf16le'), 200)).toBe('{"x":"[masked]"}');
    expect(mask('a\u0007b\u0000c')).toBe('a bc');
    expect(mask('ab😀', 3)).toBe('ab');
    expect(maskTokens(new Uint8Array([0x61, 0xff, 0x62]), 10)).toBe('a\uFFFDb');
  });

  it('is bounded in length and in work', () => {
    expect(mask('a b '.repeat(100_000), 500)).toHaveLength(500);
    for (const piece of ['token', '"token":', 'a', '\\"', '[', ' =']) {
      expect(mask(piece.repeat(50_000), 2_000).length).toBeLessThanOrEqual(2_000);
    }
  });
});

describe('maskCredentials', () => {
  it.each([
    [
      'Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101',
      'Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101',
    ],
    ['/orders;jsessionid=ABC/items', '/orders;jsessionid=[masked]'],
    ['a=1&access_token=abc&b=2', 'a=1&access_token=[masked]&b=2'],
    ['/cb%3Faccess_token%3Dabc', '/cb%3Faccess_token%3D[masked]'],
    ['code=abc zipcode=123', 'code=[masked] zipcode=123'],
    ['Bearer abcdefgh rest', 'Bearer [masked] rest'],
    ['see eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.sig end', 'see [masked] end'],
  ])('%s', (text, masked) => {
    expect(maskCredentials(text)).toBe(masked);
  });
});
