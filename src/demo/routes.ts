/** One route of the demo's resource server and the scope it asks for. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Template; `:id` stands for one segment. */
  readonly path: string;
  readonly scope: string;
}

export const ROUTES: readonly Route[] = [
  { method: 'GET', path: '/api/profile', scope: 'profile:read' },
  { method: 'GET', path: '/api/orders', scope: 'orders:read' },
  { method: 'GET', path: '/api/orders/:id', scope: 'orders:read' },
  { method: 'POST', path: '/api/orders', scope: 'orders:write' },
  { method: 'GET', path: '/api/stock', scope: 'stock:read' },
  { method: 'GET', path: '/api/reports', scope: 'reports:read' },
  { method: 'GET', path: '/api/admin/users', scope: 'admin:read' },
  { method: 'GET', path: '/api/admin/export', scope: 'admin:export' },
  { method: 'DELETE', path: '/api/admin/users/:id', scope: 'admin:write' },
];

/** Every scope the routes ask for. */
export const SCOPES: readonly string[] = [...new Set(ROUTES.map((route) => route.scope))];

/** The route that answers `method path`, or undefined. A template segment `:id` matches one non-empty segment. */
export function findRoute(method: string, path: string): Route | undefined {
  const segments = path.split('/');
  return ROUTES.find((route) => {
    const template = route.path.split('/');
    return (
      route.method === method &&
      template.length === segments.length &&
      template.every((part, index) => part === segments[index] || (part === ':id' && segments[index] !== ''))
    );
  });
}

/** A request for `route`: its template with an id filled in. */
export function pathOf(route: Route, id: number): string {
  return route.path.replace(':id', String(id));
}

/** The routes that `scope` (space-separated) opens and ordinary work uses: reading, and placing orders. */
export function routesFor(scope: string): Route[] {
  const held = new Set(scope.split(' '));
  return ROUTES.filter((route) => held.has(route.scope));
}
