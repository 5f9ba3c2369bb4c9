import { createHash, randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { DestinationStream, Logger } from 'pino';
import { pino } from 'pino';
import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client';

/** Matches credentials anywhere in a line: bearer and basic credentials, JWTs, tokens in a query. */
const CREDENTIALS =
  /\b(Bearer|Basic)\s+[A-Za-z0-9\-._~+/]+=*|\beyJ[\w-]+\.[\w-]*\.[\w-]*(?:\.[\w-]+)*|((?:access_token|client_assertion|client_secret|token|code)=)[^&\s"\\]+/g;

/**
 * Returns a logger that writes structured logs, to stdout by default. It removes credentials from every line (SM-14).
 * This is the last line of defence; the first is never to log them.
 */
export function logger(level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: errorSerializer, error: errorSerializer, req: requestSerializer },
    hooks: { streamWrite: withoutCredentials },
  };
  return destination ? pino(options, destination) : pino(options);
}

/** Replaces the credentials in a line with `[redacted]`. */
export function withoutCredentials(line: string): string {
  return line.replace(CREDENTIALS, (_all, scheme: string | undefined, name: string | undefined) =>
    scheme ? `${scheme} [redacted]` : `${name ?? ''}[redacted]`,
  );
}

/** Keeps type, message, stack and causes; drops the request and response objects that some errors carry. */
function errorSerializer(error: unknown): unknown {
  if (!(error instanceof Error)) return typeof error === 'string' ? error : undefined;
  const { name, message, stack = '', cause } = error;
  return {
    type: name,
    // A parser's message quotes the text that it could not parse, which may be a patient's record.
    ...(error instanceof SyntaxError ? {} : { message }),
    stack: stack.slice(Math.max(0, stack.search(/^\s+at /m))),
    ...(cause instanceof Error && { cause: errorSerializer(cause) }),
  };
}

/** Keeps method and route, never the URL: its path and query name patients. */
function requestSerializer(request: { method?: string; routeOptions?: { url?: string } }): object {
  return { method: request.method, route: request.routeOptions?.url };
}

/** Returns a short hash to log instead of a secret (SM-14). */
export function shortHash(secret: string): string {
  return createHash('sha256').update(secret).digest('hex').slice(0, 12);
}

/** Returns the client's request id when it is harmless, else a new one. */
export function requestId(headers: Readonly<Record<string, unknown>>): string {
  const sent = headers['x-request-id'];
  return typeof sent === 'string' && /^[A-Za-z0-9-]{8,64}$/.test(sent) ? sent : randomUUID();
}

export interface Metrics {
  registry: Registry;
  observe(method: string, route: string, status: number, seconds: number): void;
  /** Counts an object of an image source that is not the requested one, or an association refused by our C-STORE SCP. */
  imageRefused(source: string, reason: string): void;
  /** Counts a patient's identity of which a part is withheld because it is not clear. */
  identityUnclear(reason: string): void;
  /** Counts a study for which the clinical record and an archive name different patients (IA-34). */
  studyContradicted(): void;
}

/** Creates the Prometheus metrics. No label names a patient, a token or a dynamic tenant. */
export function metrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const requests = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time to answer, by route pattern',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers: [registry],
  });
  const refused = new Counter({
    name: 'images_refused_total',
    help: 'Objects and DIMSE associations of image sources that were refused, by source and reason',
    labelNames: ['source', 'reason'],
    registers: [registry],
  });
  const unclear = new Counter({
    name: 'identity_unclear_total',
    help: 'Identities of patients of which a part was withheld, by reason',
    labelNames: ['reason'],
    registers: [registry],
  });
  const contradictions = new Counter({
    name: 'study_contradictions_total',
    help: 'Studies that were not joined, because the record and an archive name different patients',
    registers: [registry],
  });
  /** Series by method, route and status: few, because a route is a pattern. */
  const series = new Map<string, ReturnType<typeof requests.labels>>();
  const seriesOf = (method: string, route: string, status: number) => {
    const key = `${method} ${status} ${route}`;
    let found = series.get(key);
    if (!found) series.set(key, (found = requests.labels(method, route, String(status))));
    return found;
  };
  return {
    registry,
    imageRefused: (source, reason) => refused.inc({ source, reason }),
    identityUnclear: (reason) => unclear.inc({ reason }),
    studyContradicted: () => contradictions.inc(),
    observe: (method, route, status, seconds) => seriesOf(method, route, status).observe(seconds),
  };
}

/** Logs and measures every request, and sends the request id with every answer. */
export function observeRequests(app: FastifyInstance, { observe }: Metrics): void {
  app.addHook('onRequest', async (request, reply) => void reply.header('x-request-id', request.id));
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none';
    const seconds = reply.elapsedTime / 1000;
    observe(request.method, route, reply.statusCode, seconds);
    if (route.startsWith('/health/') || route === '/metrics') return;
    const { capability } = (request.params ?? {}) as { capability?: string };
    request.log.info(
      {
        tenant: request.tenant?.key,
        method: request.method,
        route,
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime * 10) / 10,
        ...(capability && { capability: shortHash(capability) }),
      },
      'answered',
    );
  });
}
