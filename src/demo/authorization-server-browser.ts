/** The least of a browser that a sign-in needs: it keeps cookies and follows redirects. */
export interface Browser {
  /** Opens `url` and follows redirects until `isEnd` holds of the next address, which is returned unopened. */
  follow(url: URL, isEnd: (next: URL) => boolean): Promise<URL>;
}

const MOST_REDIRECTS = 10;

/** A browser for one server: cookies are kept by name, whatever path they are for. */
export function createBrowser(): Browser {
  const cookies = new Map<string, string>();
  return {
    async follow(url, isEnd) {
      let next = url;
      for (let redirects = 0; redirects < MOST_REDIRECTS; redirects++) {
        if (isEnd(next)) return next;
        const response = await fetch(next, {
          redirect: 'manual',
          headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
        });
        for (const line of response.headers.getSetCookie()) keep(cookies, line);
        const location = response.headers.get('location');
        if (location === null) {
          throw new Error(`sign-in ended at ${next.pathname}: ${response.status} ${await response.text()}`);
        }
        await response.body?.cancel();
        next = new URL(location, next);
      }
      throw new Error(`sign-in was redirected more than ${MOST_REDIRECTS} times`);
    },
  };
}

/** Keeps a cookie (RFC 6265 section 4.1), or forgets it where the server empties it. */
function keep(cookies: Map<string, string>, line: string): void {
  const [pair = ''] = line.split(';', 1);
  const separator = pair.indexOf('=');
  const name = pair.slice(0, separator);
  const value = pair.slice(separator + 1);
  if (value === '') cookies.delete(name);
  else cookies.set(name, value);
}
