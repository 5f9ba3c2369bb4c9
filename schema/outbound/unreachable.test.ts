import { createServer, type AddressInfo, type Socket } from 'node:net';
import { request } from 'undici';
import { expect, test } from 'vitest';
import { isTimeout, isUnreachable, retrySeconds } from './unreachable.ts';

/** Returns the errors of both clients, undici and `fetch`, for a server that calls `serve` for each connection. */
async function failures(
  serve: (socket: Socket) => void,
  listening = true,
): Promise<{ unreachable: boolean; timeout: boolean }[]> {
  const server = createServer((socket) => serve(socket.on('error', () => undefined)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  if (!listening) await new Promise((resolve) => server.close(resolve));
  try {
    const asked = [
      request(url, { headersTimeout: 100 }).then(({ body }) => body.text()),
      fetch(url, { signal: AbortSignal.timeout(1500) }).then((answer) => answer.text()),
    ];
    return (await Promise.allSettled(asked)).map((result) => {
      if (result.status === 'fulfilled') throw new Error(`answered ${result.value}`);
      return { unreachable: isUnreachable(result.reason), timeout: isTimeout(result.reason) };
    });
  } finally {
    server.close();
  }
}

const AWAY = { unreachable: true, timeout: false };

test.each<[string, Parameters<typeof failures>, object]>([
  ['a port without a server', [() => undefined, false], AWAY],
  ['an ended connection', [(socket) => socket.destroy()], AWAY],
  ['a reset connection', [(socket) => socket.resetAndDestroy()], AWAY],
  ['no answer', [() => undefined], { unreachable: true, timeout: true }],
  [
    'an answer that is not HTTP',
    [(socket) => socket.end('nonsense\r\n\r\n')],
    { unreachable: false, timeout: false },
  ],
])('recognizes %s', async (_name, arguments_, expected) => {
  expect(await failures(...arguments_)).toEqual([expected, expected]);
});

test('counts a host without an address, and a lack of sockets, as unreachable', () => {
  for (const code of ['ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'EMFILE'])
    expect(isUnreachable(Object.assign(new Error(code), { code }))).toBe(true);
  expect(isUnreachable(new TypeError('a mistake'))).toBe(false);
  expect(isUnreachable(undefined)).toBe(false);
});

test('passes on Retry-After in seconds; anything else is five', () => {
  expect(['7', undefined, 'soon', ['7']].map(retrySeconds)).toEqual([7, 5, 5, 7]);
});
