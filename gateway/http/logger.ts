import { createHash, randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { DestinationStream, Logger } from 'pino';
import { pino } from 'pino';
import type {} from '../../schema/http/served.ts';
import type { LogFormat } from '../settings.ts';
import type { Metrics } from './metrics.ts';
import { textLine } from './text-log.ts';

/** Matches credentials anywhere in a line: bearer and basic credentials, JWTs, tokens in a query. */
const CREDENTIALS =
  /\b(Bearer|Basic)\s+[A-Za-z0-9\-._~+/]+=*|\beyJ[\w-]+\.[\w-]*\.[\w-]*(?:\.[\w-]+)*|((?:access_token|client_assertion|client_secret|token|code)=)[^&\s"\\]+/g;

/**
 * Lines are written to stdout together: a write for each, by a thread of its own, takes a third of the time of a short request.
 * No write is longer than what a pipe takes as one (PIPE_BUF), so the lines of several processes do not mix.
 */
const IN_BATCHES = { dest: 1, sync: false, minLength: 3000, maxWrite: 4096, periodicFlush: 100 } as const;

/**
 * Returns a logger that writes structured logs, or text for people. It removes credentials from every line (SM-14). This is the
 * last line of defence; the first is never to log them.
 * @param destination by default stdout
 */
export function logger(level: string, destination?: DestinationStream, format: LogFormat = 'json'): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: errorSerializer, error: errorSerializer, req: requestSerializer },
    hooks: { streamWrite: format === 'json' ? withoutCredentials : textWithoutCredentials },
  };
  return pino(options, destination ?? pino.destination(IN_BATCHES));
}

/** Returns the format of the log: text where stdout is a terminal, and JSON elsewhere. */
const usualFormat = (): LogFormat => (process.stdout.isTTY ? 'text' : 'json');

/** Returns the logger of a process. */
export function processLogger(level: string, format = usualFormat()): Logger {
  // People read it together with what is printed: each line is written at once.
  return logger(level, format === 'text' ? pino.destination({ dest: 1, sync: true }) : undefined, format);
}

const textWithoutCredentials = (line: string): string => textLine(withoutCredentials(line));

/** Replaces the credentials in a line with `[redacted]`. */
export function withoutCredentials(line: string): string {
  return line.replace(CREDENTIALS, (_all, scheme: string | undefined, name: string | undefined) =>
    scheme ? `${scheme} [redacted]` : `${name ?? ''}[redacted]`,
  );
}

/**
 * Keeps type, message, stack and causes; drops the request and response objects that some errors carry. Of what was thrown and
 * is no error it keeps the type: the content may be anything.
 */
function errorSerializer(error: unknown): unknown {
  if (!(error instanceof Error)) return typeof error === 'string' ? error : thrown(error);
  const { name, message, stack = '', cause } = error;
  return {
    type: name,
    // A parser's message quotes the text that it could not parse, which may be a patient's record.
    ...(error instanceof SyntaxError ? {} : { message }),
    stack: stack.slice(Math.max(0, stack.search(/^\s+at /m))),
    ...(cause instanceof Error && { cause: errorSerializer(cause) }),
  };
}

const thrown = (error: unknown) => ({ type: (error as object | null)?.constructor?.name ?? String(error) });

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

declare module 'fastify' {
  interface FastifyContextConfig {
    /** True for routes by which the process is watched: they are always answered, and not logged. */
    probe?: boolean;
    /** True for routes by which the gateway asks its other processes: its own line tells of the request. */
    internal?: boolean;
  }
}

/**
 * Logs and measures every request. Every answer has the request id; one with data has its time in `Server-Timing` (W3C),
 * up to its first byte.
 */
export function observeRequests(app: FastifyInstance, { observe }: Metrics): void {
  app.addHook('onRequest', (request, reply, done) => {
    void reply.header('x-request-id', request.id);
    done();
  });
  app.addHook('onSend', (...[{ routeOptions }, reply, , done]) => {
    if (routeOptions.config.serves) void reply.header('server-timing', `total;dur=${milliseconds(reply)}`);
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const { url: route = 'none', config } = request.routeOptions;
    if (request.isPassedOn) return done();
    observe(request, reply);
    if (config.probe) return done();
    const { capability } = (request.params ?? {}) as { capability?: string };
    const level = config.internal && reply.statusCode < 400 ? 'debug' : 'info';
    request.log[level](
      {
        tenant: request.tenant?.key,
        method: request.method,
        route,
        status: reply.statusCode,
        ms: milliseconds(reply),
        ...(capability && { capability: shortHash(capability) }),
      },
      'answered',
    );
    done();
  });
}

const milliseconds = ({ elapsedTime }: { elapsedTime: number }): number => Math.round(elapsedTime * 10) / 10;
