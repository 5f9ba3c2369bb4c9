import type { FastifyCompressOptions } from '@fastify/compress';
import type { FastifyCorsOptions } from '@fastify/cors';
import type { FastifyHelmetOptions } from '@fastify/helmet';
import { constants } from 'node:zlib';

/** SM-13: any origin may read with a token; there is no cookie that a page could use in a user's name. */
export const CORS: FastifyCorsOptions = {
  origin: '*',
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
  exposedHeaders: [
    'WWW-Authenticate',
    'Retry-After',
    'Content-Location',
    'Content-Type',
    'Warning',
    'ETag',
    'Content-Range',
    'Accept-Ranges',
    'Location',
    'X-Request-Id',
  ],
  maxAge: 7200,
  strictPreflight: false,
};

/** The same for what is answered before a route and its hooks are found. */
export const CORS_ANSWER = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': (CORS.exposedHeaders as string[]).join(', '),
} as const;

/**
 * What pages from here may do. The viewer decodes in workers made from blobs and in WebAssembly, and signs in at any
 * EHR; other sites' viewers may load our images.
 */
export const SECURITY_HEADERS: FastifyHelmetOptions = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'self'"],
      scriptSrc: ["'self'", "'wasm-unsafe-eval'"],
      workerSrc: ["'self'", 'blob:'],
      connectSrc: ["'self'", 'blob:', 'data:', 'https:', 'http://localhost:*', 'http://127.0.0.1:*'],
      imgSrc: ["'self'", 'data:', 'blob:'],
      styleSrc: ["'self'", "'unsafe-inline'"],
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
  strictTransportSecurity: false,
};

/** Text only: pixels are compressed already, and a stream of them must not be held up. */
export const COMPRESSED: FastifyCompressOptions = {
  threshold: 1024,
  encodings: ['br', 'gzip'],
  customTypes:
    /^(application\/(fhir\+json|json|graphql-response\+json|dicom\+json|javascript|wasm)|text\/|image\/svg)/,
  brotliOptions: { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } },
};
