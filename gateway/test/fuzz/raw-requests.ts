import { connect } from 'node:net';
import { damaged } from '../../../subgraphs/imaging/test/fuzz/random.ts';
import type { Random } from '../setup/random.ts';
import { hold, type Target } from '../../../subgraphs/imaging/test/fuzz/target.ts';
import { FuzzedGateway } from './fuzzed-gateway.ts';

/** Milliseconds after which a connection without an answer is closed: the server may be waiting for more bytes. */
const PATIENCE = 300;

const LINES = [
  'GET /fuzz/fhir/Patient',
  'GET /fuzz/dicomweb/studies',
  'HEAD /fuzz/fhir/ImagingStudy',
  'GET /fuzz/fhir/metadata',
  'OPTIONS /fuzz/graphql',
  'POST /fuzz/graphql',
  'GET /fuzz/wado/abc/studies/1.2.3',
  'DELETE /fuzz/fhir/Patient/1',
  'POST /fuzz/wado/links',
  'POST /fuzz/oauth/token',
  'GET /dyn/e30/fhir/Patient',
  'GET /fuzz/wado-uri?requestType=WADO',
  'GET /health/live',
  'GET /metrics',
  'PROPFIND /',
  'GET /.well-known/oauth-protected-resource/fuzz',
  'CONNECT x:1',
];
const NAMES = [
  'Accept',
  'Accept-Encoding',
  'Accept-Language',
  'Accept-Charset',
  'Authorization',
  'Prefer',
  'Range',
  'If-Range',
  'If-None-Match',
  'If-Modified-Since',
  'Content-Type',
  'Content-Length',
  'Transfer-Encoding',
  'Expect',
  'Cookie',
  'X-Request-Id',
  'traceparent',
  'X-Forwarded-For',
  'X-Forwarded-Host',
  'Forwarded',
  'Origin',
  'Host',
  'Upgrade',
  'Access-Control-Request-Method',
  'Access-Control-Request-Headers',
  'apollo-require-preflight',
  '__proto__',
  'X',
];
const PIECES = [
  '*/*',
  'a/b',
  ';q=',
  '0.5',
  ',',
  ';',
  '"',
  'W/"x"',
  'bytes=0-',
  '-',
  '5',
  '1e9',
  'gzip',
  'br',
  'identity',
  ' ',
  'Bearer ',
  'eyJhbGciOiJub25lIn0.e30.',
  'Basic eDp5',
  'handling=strict',
  'return=minimal',
  'respond-async',
  '=',
  'application/json',
  'multipart/related; type=',
  'application/dicom',
  '; boundary=',
  'chunked',
  '100-continue',
  '00-',
  '0'.repeat(32),
  'ff',
  'http://x',
  'localhost',
  'x=y; ',
  '\t',
  '\xff',
  '%',
  '()<>',
  'Mon, 01 Jan 2024',
];

let gateway: FuzzedGateway;

/** Requests as bytes on a connection, with headers that are invalid, much too long, or cut off. */
export const rawRequests: Target = {
  name: 'raw-requests',
  async open() {
    gateway = await FuzzedGateway.shared();
  },
  async run(random) {
    const bytes = requestBytes(random);
    await gateway.watched(async () => {
      const answer = await exchange(bytes);
      const said = `${answer.slice(0, 300)} to ${bytes.toString('latin1').slice(0, 500)}`;
      hold(!/^HTTP\/1\.1 500|node_modules|\.ts:\d|\bat \S+ \(/.test(answer), said);
      hold(answer === '' || answer.startsWith('HTTP/1.1 '), said);
    });
  },
};

function requestBytes(random: Random): Buffer {
  const headers = Array.from({ length: random.below(6) }, () => `${random.of(NAMES)}: ${value(random)}`);
  const body = random.chance(0.3) ? random.of(['{}', '{"query":"{__typename}"}', 'a=b', '[]', '"']) : '';
  if (body && random.chance(0.8)) headers.push(`Content-Length: ${body.length}`);
  if (random.chance(0.95)) headers.push('Host: localhost');
  const text = `${random.of(LINES)} HTTP/1.1\r\n${headers.join('\r\n')}\r\nConnection: close\r\n\r\n${body}`;
  const bytes = Buffer.from(text, 'latin1');
  return random.chance(0.3) ? damaged(bytes, random, 300) : bytes;
}

/** Joins a few pieces, or so many that they fill all the space for headers. */
function value(random: Random): string {
  const pieces = Array.from({ length: 1 + random.below(6) }, () => random.of(PIECES));
  const once = pieces.join('');
  return random.chance(0.1) ? once.repeat(1 + random.below(60_000 / (once.length + 1))) : once;
}

/** Sends bytes; returns the first bytes of the answer, empty where none came. */
function exchange(bytes: Buffer): Promise<string> {
  const { hostname, port } = new URL(gateway.url);
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(Number(port), hostname);
    const late = setTimeout(() => socket.destroy(), PATIENCE);
    socket.on('data', (chunk) => {
      if (answer.length < 5000) answer += chunk.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(late);
      resolve(answer);
    });
    socket.write(bytes);
  });
}
