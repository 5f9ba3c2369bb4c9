import fastifyCompress, { type FastifyCompressOptions } from '@fastify/compress';
import fastifyCors, { type FastifyCorsOptions } from '@fastify/cors';
import type { FastifyInstance, FastifyReply } from 'fastify';
import helmet, { type HelmetOptions } from 'helmet';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { brotliCompressSync, constants } from 'node:zlib';
import { HANDOVER_HEADERS } from '../../schema/outbound/handover-proxy.ts';
import { setCacheControl } from '../../schema/http/cache-control.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** False for routes that answer no preflight: their CORS headers are set with the other fixed headers. */
    cors?: false;
  }
}

/** Headers that a page of another origin may read. */
const EXPOSED = [
  'WWW-Authenticate',
  'Retry-After',
  'Content-Location',
  'Content-Type',
  'Warning',
  'ETag',
  'Content-Range',
  'Accept-Ranges',
  'Location',
  'Link',
  'X-Request-Id',
];

/** Any origin may read with a token (SM-13); there is no cookie that a page could use in a user's name. */
const ORIGIN = '*';

const CORS: FastifyCorsOptions = {
  origin: ORIGIN,
  methods: ['GET', 'HEAD', 'POST', 'OPTIONS'],
  allowedHeaders: [
    'Authorization',
    'Accept',
    'Content-Type',
    'Range',
    'If-Range',
    'If-None-Match',
    'Prefer',
    'Apollo-Require-Preflight',
    'traceparent',
  ],
  exposedHeaders: EXPOSED,
  maxAge: 7200,
  strictPreflight: false,
};

const HSTS_SECONDS = 365 * 24 * 3600;

/** Tells if the public address is https: only then HSTS is sent (RFC 6797). */
const isHttps = (baseUrl: string) => new URL(baseUrl).protocol === 'https:';

/**
 * Sets `Cache-Control: no-store` on every error and on every answer without Cache-Control, but for those that nginx takes:
 * their headers get the names that nginx knows.
 */
export function noStoreByDefault(app: FastifyInstance): void {
  app.addHook('onSend', (...[, reply, , done]) => {
    const isHandedOver = reply.hasHeader(HANDOVER_HEADERS.redirect);
    if (isHandedOver) nameForNginx(reply);
    const isMissing = !reply.hasHeader('cache-control') && !isHandedOver;
    if (reply.statusCode >= 400 || isMissing) void setCacheControl(reply, 'noStore');
    done();
  });
}

function nameForNginx(reply: FastifyReply): void {
  for (const name of Object.values(HANDOVER_HEADERS)) {
    const value = reply.getHeader(name);
    if (value !== undefined) reply.header(name.replace('handover', 'accel'), value).removeHeader(name);
  }
}

/**
 * Returns the security headers of pages of this server. The viewer decodes in workers made from blobs and in WebAssembly,
 * and signs in at any EHR. Viewers of other sites may load our images.
 */
const securityHeaders = (baseUrl: string): HelmetOptions => ({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'self'"],
      scriptSrc: ["'self'", "'wasm-unsafe-eval'"],
      workerSrc: ["'self'", 'blob:'],
      connectSrc: ["'self'", 'blob:', 'data:', 'https:', 'http://localhost:*', 'http://127.0.0.1:*'],
      imgSrc: ["'self'", 'data:', 'blob:'],
      // A video of a patient, which the viewer has fetched with its token.
      mediaSrc: ["'self'", 'blob:'],
      styleSrc: ["'self'", "'unsafe-inline'"],
      // Documents of a patient, such as a PDF, which the viewer has fetched with its token.
      frameSrc: ["'self'", 'blob:'],
      fontSrc: ["'self'", 'data:'],
      objectSrc: ["'none'"],
      baseUri: ["'self'"],
      formAction: ["'self'"],
      frameAncestors: ["'self'"],
    },
  },
  crossOriginResourcePolicy: { policy: 'cross-origin' },
  crossOriginEmbedderPolicy: false,
  // Sign-in windows of EHRs talk back to their opener.
  crossOriginOpenerPolicy: { policy: 'same-origin-allow-popups' },
  referrerPolicy: { policy: 'no-referrer' },
  strictTransportSecurity: isHttps(baseUrl) && { maxAge: HSTS_SECONDS, includeSubDomains: false },
});

/** Sets the fixed headers on every answer. The CORS plugin answers preflights alone. */
export async function addFixedHeaders(
  app: FastifyInstance,
  fixed: Readonly<Record<string, string>>,
): Promise<void> {
  app.addHook('onRequest', (_request, reply, done) => {
    void reply.headers(fixed);
    done();
  });
  app.addHook('onRoute', (route) => {
    if (![route.method].flat().includes('OPTIONS')) route.config = { ...route.config, cors: false };
  });
  await app.register(fastifyCors, CORS);
}

/** Returns the headers of every answer, with names in lower case: those of CORS, and of `securityHeaders`. */
export function fixedHeaders(baseUrl: string): Record<string, string> {
  const fixed: Record<string, string> = {
    'access-control-allow-origin': ORIGIN,
    'access-control-expose-headers': EXPOSED.join(', '),
  };
  const answer = {
    setHeader: (name: string, value: string) => void (fixed[name.toLowerCase()] = value),
    removeHeader: () => undefined,
  };
  // eslint-disable-next-line no-restricted-syntax -- helmet only sets headers
  helmet(securityHeaders(baseUrl))({} as IncomingMessage, answer as unknown as ServerResponse, (error) => {
    if (error) throw error as Error;
  });
  return fixed;
}

/** Returns the fixed headers of answers that are written before a route and its hooks are found: CORS and HSTS. */
export function earlyHeaders(fixed: Readonly<Record<string, string>>): Record<string, string> {
  const early = /^(access-control-.*|strict-transport-security)$/;
  return Object.fromEntries(Object.entries(fixed).filter(([name]) => early.test(name)));
}

/** Types that are compressed. Pixels are compressed already, or their stream must not be delayed. */
const TEXTS =
  /^(application\/(fhir\+json|fhir\+ndjson|json|graphql-response\+json|dicom\+json|javascript|wasm)|text\/|image\/svg)/;
/** Bytes up to which an answer is compressed at once, in the thread of the server, and not in another one as it is sent. */
const SMALL_ANSWER = 8 * 1024;

const brotliOf = (quality: number) => ({ params: { [constants.BROTLI_PARAM_QUALITY]: quality } });

const COMPRESSION: FastifyCompressOptions = {
  threshold: 1024,
  syncThreshold: SMALL_ANSWER,
  encodings: ['br', 'gzip'],
  customTypes: TEXTS,
  brotliOptions: brotliOf(4),
  // Small answers: a third of the time for a tenth more bytes (8 KB of FHIR: 27 µs and 1697 bytes; quality 4: 68 µs and 1501).
  zlib: { brotliCompressSync: (text: Buffer) => brotliCompressSync(text, brotliOf(1)) },
};

/** Compresses texts of 1 KB and more, by Brotli or gzip as the client accepts it. */
export async function compressTexts(app: FastifyInstance): Promise<void> {
  // The plugin adds to our types those that `mime-db` calls compressible: `application/octet-stream`, which pixels have.
  app.addHook('onSend', (...[request, reply, , done]) => {
    const type = String(reply.getHeader('content-type') ?? 'application/json');
    if (!TEXTS.test(type)) request.headers['x-no-compression'] = 'no text';
    done();
  });
  await app.register(fastifyCompress, COMPRESSION);
}
