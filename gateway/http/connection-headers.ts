/** Headers of one connection (RFC 9110 §7.6.1), which no request or answer takes to another one. */
export const CONNECTION_HEADERS = ['connection', 'keep-alive', 'proxy-connection', 'upgrade'] as const;
