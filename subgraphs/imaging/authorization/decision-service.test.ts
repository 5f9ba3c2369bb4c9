import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { askDecisionService } from './decision-service.ts';
import { timeAwake } from '../../../gateway/test/setup/processor-time.ts';

let service: Server;
let url: string;
let answer: (response: ServerResponse, socket: Socket) => void;
/** Number of questions that arrived. */
let questions: number;

beforeEach(async () => {
  questions = 0;
  service = createServer((request, response) => {
    questions++;
    request.resume().on('end', () => answer(response, request.socket));
  });
  await new Promise<void>((done) => service.listen(0, '127.0.0.1', done));
  url = `http://127.0.0.1:${(service.address() as AddressInfo).port}/decide`;
});
afterEach(async () => {
  service.closeAllConnections();
  await new Promise((done) => service.close(done));
});

const ask = () => askDecisionService(url, { studies: [{ studyUid: '1.2' }, { studyUid: '1.3' }] });
const DECISION = '{"withheld":["1.3"]}';

test('returns the UIDs that the service names', async () => {
  answer = (response) => response.end(DECISION);
  expect(await ask()).toEqual(new Set(['1.3']));
});

test('sends the question again when a kept connection was closed', async () => {
  const served = new WeakSet<Socket>();
  answer = (response, socket) => {
    if (served.has(socket)) return void socket.destroy();
    served.add(socket);
    response.end(DECISION);
  };
  for (let i = 0; i < 3; i++) expect(await ask()).toEqual(new Set(['1.3']));
  expect(questions).toBeGreaterThan(3);
});

describe('no decision', () => {
  test('from an answer of more than a megabyte, which is not read to its end', async () => {
    let closed: Promise<unknown> | undefined;
    answer = (response) => {
      closed = new Promise((done) => response.once('close', done));
      response.write(DECISION);
      const more = () => void (response.destroyed || response.write(' '.repeat(1 << 16), more));
      more();
    };
    expect(await ask()).toBeUndefined();
    await closed;
  });

  test.each([
    ['without an answer', () => undefined],
    [
      'from an answer without an end',
      (response: ServerResponse) => {
        const more = setInterval(() => response.write(' '), 100);
        response.once('close', () => clearInterval(more));
      },
    ],
  ])(
    '%s, after five seconds',
    async (_what, slow) => {
      answer = slow;
      expect(await timeAwake(async () => expect(await ask()).toBeUndefined())).toBeLessThan(8000);
    },
    30_000,
  );

  test('from a redirect, which is not followed', async () => {
    answer = (response) => {
      if (questions === 1) response.writeHead(307, { location: url });
      response.end(DECISION);
    };
    expect(await ask()).toBeUndefined();
    expect(questions).toBe(1);
  });
});
