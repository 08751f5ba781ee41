import { describe, expect, it } from 'vitest';
import { deriveRoute, requestPath } from '../../../src/formats/route.ts';

describe('deriveRoute', () => {
  it.each([
    ['/', '/'],
    ['/api/v1/users', '/api/v1/users'],
    ['/api/v1/users/', '/api/v1/users'],
    ['//api//users', '/api/users'],
    ['/users/42', '/users/{id}'],
    ['/users/42.json', '/users/{id}.json'],
    ['/users/1,2,3/orders', '/users/{id}/orders'],
    ['/users/6f1c1d3e-6c7b-4a51-9f5c-0a4b7f1d2e3f', '/users/{id}'],
    ['/o/507f1f77bcf86cd799439011', '/o/{id}'],
    ['/o/9f86d081884c7d65', '/o/{id}'],
    ['/files/dGhpcyBpcyBhIHRlc3Q0', '/files/{id}'],
    ['/orders/order-12345/items', '/orders/{id}/items'],
    ['/days/2026-01-31', '/days/{id}'],
    ['/mail/user-1@example.com', '/mail/{id}'],
    ['/x;jsessionid=ABC/y', '/x/y'],
    ['/odata/Users(42)/Orders', '/odata/Users({id})/Orders'],
    ['/oauth2/token', '/oauth2/token'],
    ['/.well-known/openid-configuration', '/.well-known/openid-configuration'],
    ['/report.v2', '/report.v2'],
    ['/decade/facade', '/decade/facade'],
    [`/s/${'long-word-'.repeat(9)}`, '/s/{id}'],
  ])('of %s is %s', (path, route) => {
    expect(deriveRoute(path)).toBe(route);
  });

  it('is bounded, and the same for what it made', () => {
    const route = deriveRoute('/segment'.repeat(1_000));
    expect(route.length).toBeLessThan(300);
    expect(route).toMatch(/\/…$/);
    expect(deriveRoute(deriveRoute('/users/42/a'))).toBe('/users/{id}/a');
  });
});

describe('requestPath', () => {
  it.each([
    ['/a?access_token=x', '/a'],
    ['/a#access_token=x', '/a'],
    ['https://user:secret@api.example/a/b?c', '/a/b'],
    ['https://api.example', '/'],
    ['?q', '/'],
    ['/a/https://b/c', '/a/https://b/c'],
  ])('of %s is %s', (logged, path) => {
    expect(requestPath(logged)).toBe(path);
  });
});
