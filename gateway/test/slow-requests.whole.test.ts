/** Clients that send a request byte by byte, to hold connections ("slow loris"): they are cut off, others are answered. */
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CONNECTION_TIMEOUTS } from '../http/connection-timeouts.ts';
import { startGatewayAlone, type GatewayAlone } from './gateway-alone.ts';
import { longTest } from './setup/usual-run.ts';

const SLOW_CLIENTS = 50;
/** Milliseconds between two bytes. */
const BYTE = 50;

const HEADERS = 'GET /open/dicomweb/studies HTTP/1.1\r\nHost: gateway\r\nX-Long: ';
const BODY =
  'POST /open/graphql HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n';
const sockets: Socket[] = [];
afterAll(() => sockets.forEach((socket) => socket.destroy()));

/** Sends text, then a byte at a time, or nothing at all without text; gives the milliseconds until the connection is closed, and what came before. */
function slowClient(url: string, begin: string): Promise<{ after: number; answer: string }> {
  const { hostname, port } = new URL(url);
  const began = performance.now();
  const socket = connect(Number(port), hostname);
  sockets.push(socket);
  if (begin) socket.write(begin);
  const turn = setInterval(() => begin && socket.write(' '), BYTE);
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
  socket.on('error', () => undefined);
  return new Promise((done) => {
    socket.once('close', () => {
      clearInterval(turn);
      done({ after: performance.now() - began, answer });
    });
  });
}

/** None is cut off before the limit, and all are long before a connection may be idle: the time of a test is less. */
async function areCutOff(gateway: GatewayAlone, begin: string, limit: number) {
  const slow = Array.from({ length: SLOW_CLIENTS }, () => slowClient(gateway.url, begin));
  let open = true;
  const cut = Promise.all(slow).finally(() => (open = false));
  let answered = 0;
  while (open) {
    const answer = await fetch(`${gateway.url}/open/fhir/Patient/p1`);
    expect(answer.status).toBe(200);
    await answer.text();
    if (open) answered++;
    await new Promise((done) => setTimeout(done, BYTE));
  }
  expect(answered).toBeGreaterThan(0);
  for (const { after, answer } of await cut) {
    expect(answer).toMatch(/^HTTP\/1\.1 408 .*"error":"request_timeout"/s);
    expect(after).toBeGreaterThan(limit - BYTE);
  }
}

describe('clients that send slowly get 408 and are disconnected, and others are answered', () => {
  const QUICK = { headers: 1_000, request: 2_000, idle: 75_000, check: 100 };
  let gateway: GatewayAlone;
  beforeAll(async () => {
    gateway = await startGatewayAlone({ app: { timeouts: QUICK } });
  }, 60_000);
  afterAll(() => gateway?.close());

  test('headers', () => areCutOff(gateway, HEADERS, QUICK.headers), 30_000);
  test('nothing but a connection', () => areCutOff(gateway, '', QUICK.headers), 30_000);
  test('a body', () => areCutOff(gateway, BODY, QUICK.request), 30_000);
});

describe('as in production', () => {
  let gateway: GatewayAlone;
  beforeAll(async () => {
    gateway = await startGatewayAlone();
  }, 60_000);
  afterAll(() => gateway?.close());

  test('a connection without a request stays open for longer than a balancer keeps it', async () => {
    const { hostname, port } = new URL(gateway.url);
    const socket = connect(Number(port), hostname);
    sockets.push(socket);
    const answer = new Promise<string>((done) => socket.once('data', (chunk: Buffer) => done(String(chunk))));
    socket.write('GET /health/live HTTP/1.1\r\nHost: gateway\r\n\r\n');
    expect(await answer).toMatch(/\r\nkeep-alive: timeout=75\r\n/i);
  });

  const { headers, request } = CONNECTION_TIMEOUTS;
  longTest('headers', () => areCutOff(gateway, HEADERS, headers), 60_000);
  longTest('a body', () => areCutOff(gateway, BODY, request), 120_000);
});
