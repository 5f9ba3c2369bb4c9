import { createHash, randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { DestinationStream, Logger } from 'pino';
import { pino } from 'pino';
import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client';

/** What looks like a credential anywhere in a line: bearer and basic credentials, JWTs, tokens in a query. */
const CREDENTIALS =
  /\b(Bearer|Basic)\s+[A-Za-z0-9\-._~+/]+=*|\beyJ[\w-]+\.[\w-]*\.[\w-]*(?:\.[\w-]+)*|((?:access_token|client_assertion|client_secret|token|code)=)[^&\s"\\]+/g;

/**
 * Structured logs on stdout. Credentials are cut out of every line whatever put them there (SM-14): the last line of
 * defence, not the first, which is never to log them.
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

export function withoutCredentials(line: string): string {
  return line.replace(CREDENTIALS, (_all, scheme: string | undefined, name: string | undefined) =>
    scheme ? `${scheme} [redacted]` : `${name ?? ''}[redacted]`,
  );
}

/** Type, message, stack and causes; not the request and response objects that some errors carry. */
function errorSerializer(error: unknown): unknown {
  if (!(error instanceof Error)) return typeof error === 'string' ? error : undefined;
  const { name, message, stack = '', cause } = error;
  return {
    type: name,
    // A parser's message quotes what it could not parse, and that may be anyone's record.
    ...(error instanceof SyntaxError ? {} : { message }),
    stack: stack.slice(Math.max(0, stack.search(/^\s+at /m))),
    ...(cause instanceof Error && { cause: errorSerializer(cause) }),
  };
}

/** Never the URL: its path and query name patients. */
function requestSerializer(request: { method?: string; routeOptions?: { url?: string } }): object {
  return { method: request.method, route: request.routeOptions?.url };
}

/** A short stand-in for what must not be logged (SM-14). */
export function hashed(secret: string): string {
  return createHash('sha256').update(secret).digest('hex').slice(0, 12);
}

/** A client's own request id, where it is harmless, or a new one. */
export function requestId(headers: Readonly<Record<string, unknown>>): string {
  const sent = headers['x-request-id'];
  return typeof sent === 'string' && /^[A-Za-z0-9-]{8,64}$/.test(sent) ? sent : randomUUID();
}

export interface Metrics {
  registry: Registry;
  observe(method: string, route: string, status: number, seconds: number): void;
  /** An object of an image source that is not what was asked for, or an association that our C-STORE SCP did not take. */
  imageRefused(source: string, reason: string): void;
}

/** Prometheus metrics without a label that names a patient, a token or a dynamic tenant. */
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
    help: 'Objects, and associations of DIMSE, that were refused of what image sources sent, by source and reason',
    labelNames: ['source', 'reason'],
    registers: [registry],
  });
  /** By method, route and status, of which there are as many as answers of different kinds. */
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
    observe: (method, route, status, seconds) => seriesOf(method, route, status).observe(seconds),
  };
}

/** One line and one measurement per request; the request id in every answer. */
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
        ...(capability && { capability: hashed(capability) }),
      },
      'answered',
    );
  });
}
