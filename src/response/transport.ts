import * as oauth from 'oauth4webapi';

/**
 * Whether `url` may be spoken to: https anywhere, plain http on this machine only (RFC 6749 section 1.6).
 *
 * @param insecureHttp plain http anywhere: what `insecure_http` allows for a server in a private network
 */
export function isSecure(url: URL, insecureHttp = false): boolean {
  return (
    url.protocol === 'https:' || (url.protocol === 'http:' && (insecureHttp || isLoopback(url.hostname)))
  );
}

/** Request options for the server at `url`: plain http is let through where {@link isSecure} allows it. */
export function requestOptions(url: URL, insecureHttp = false) {
  // Marked deprecated so that it stands out; a server on this machine is what it is for.
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  return { [oauth.allowInsecureRequests]: url.protocol === 'http:' && isSecure(url, insecureHttp) };
}

/** RFC 6761 section 6.3 for the name; the URL parser has made any spelling of the addresses canonical. */
function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    /^127(\.\d+){3}$/.test(hostname)
  );
}
