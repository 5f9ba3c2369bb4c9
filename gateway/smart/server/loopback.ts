/** Whether a public base is this very machine: then nobody else can come in, and a demonstration may be generous. */
export function isLoopback(baseUrl: string): boolean {
  return ['localhost', '127.0.0.1', '[::1]'].includes(new URL(baseUrl).hostname);
}
