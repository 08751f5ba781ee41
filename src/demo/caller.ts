/** Who calls: a program at an address. */
export interface Caller {
  readonly userAgent: string;
  readonly address: string;
}

export interface Reply {
  readonly status: number;
  /** Seconds are too coarse: when the answer was there, epoch milliseconds. */
  readonly at: number;
  /** The WWW-Authenticate header (RFC 6750 section 3), empty where there is none. */
  readonly challenge: string;
}

/** Calls the gateway with a bearer token. The caller's address travels in X-Forwarded-For: everything runs on one machine. */
export type Call = (token: string, request: { method: string; path: string }, by: Caller) => Promise<Reply>;

/** Creates a {@link Call} to the gateway at `url`. It throws where the gateway does not answer within 10 s. */
export function createCall(url: string): Call {
  return async (token, { method, path }, by) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        'user-agent': by.userAgent,
        'x-forwarded-for': by.address,
      },
      signal: AbortSignal.timeout(10_000),
    });
    await response.arrayBuffer();
    return {
      status: response.status,
      at: Date.now(),
      challenge: response.headers.get('www-authenticate') ?? '',
    };
  };
}
