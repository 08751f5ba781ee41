import { describe, expect, it } from 'vitest';
import { isSecure } from '../../../src/response/transport.ts';

describe('isSecure', () => {
  it.each([
    'https://as.example',
    'http://127.0.0.1:9000/x',
    'http://127.8.9.10',
    'http://localhost:1',
    'http://as.localhost',
    'http://[::1]:80',
    'http://2130706433/',
  ])('lets %s through', (url) => {
    expect(isSecure(new URL(url))).toBe(true);
  });

  it.each([
    'http://as.example',
    'http://127.0.0.1.example',
    'http://localhost.example',
    'http://192.0.2.1',
    'http://[2001:db8::1]',
    'ftp://127.0.0.1/',
  ])('keeps %s out', (url) => {
    expect(isSecure(new URL(url))).toBe(false);
  });

  it('lets plain http, and nothing else, through where insecure_http says so', () => {
    expect(isSecure(new URL('http://192.0.2.1'), true)).toBe(true);
    expect(isSecure(new URL('ftp://192.0.2.1'), true)).toBe(false);
  });
});
