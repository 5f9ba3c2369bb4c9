import { createServer, type AddressInfo, type Socket } from 'node:net';
import { request } from 'undici';
import { expect, test } from 'vitest';
import { isTimeout, isUnreachable, retrySeconds } from './unreachable.ts';

/** The errors of both clients for a server that does this with each connection. */
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
  ['nobody listens', [() => undefined, false], AWAY],
  ['the connection is ended', [(socket) => socket.destroy()], AWAY],
  ['the connection is reset', [(socket) => socket.resetAndDestroy()], AWAY],
  ['no answer', [() => undefined], { unreachable: true, timeout: true }],
  ['no HTTP', [(socket) => socket.end('nonsense\r\n\r\n')], { unreachable: false, timeout: false }],
])('%s', async (_name, arguments_, expected) => {
  expect(await failures(...arguments_)).toEqual([expected, expected]);
});

test('a host without an address, and our own want of sockets, are away too', () => {
  for (const code of ['ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'EMFILE'])
    expect(isUnreachable(Object.assign(new Error(code), { code }))).toBe(true);
  expect(isUnreachable(new TypeError('a mistake'))).toBe(false);
  expect(isUnreachable(undefined)).toBe(false);
});

test('Retry-After in seconds is passed on, anything else is five', () => {
  expect(['7', undefined, 'soon', ['7']].map(retrySeconds)).toEqual([7, 5, 5, 7]);
});
