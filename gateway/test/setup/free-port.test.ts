import { existsSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterAll, expect, it } from 'vitest';
import { freePort } from './free-port.ts';

const RANGE = '/proc/sys/net/ipv4/ip_local_port_range';
const servers: Server[] = [];
afterAll(() => servers.forEach((server) => server.close()));

const listenAt = async (port: number) => {
  const server = createServer().listen(port, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
};

it('gives many callers at once a port each, all free', async () => {
  const ports = await Promise.all(Array.from({ length: 50 }, freePort));
  expect(new Set(ports).size).toBe(50);
  await Promise.all(ports.map(listenAt));
});

it('gives none twice, also when nobody listens yet', async () => {
  const first = await freePort();
  for (let call = 0; call < 50; call++) expect(await freePort()).not.toBe(first);
});

it('passes over a port that is taken', async () => {
  const taken = (await freePort()) + 1;
  await listenAt(taken);
  expect(await freePort()).toBeGreaterThan(taken);
});

it('gives no port that the system takes by itself', async () => {
  // Elsewhere than on Linux: the range of RFC 6335, section 6.
  const range = existsSync(RANGE) ? readFileSync(RANGE, 'utf8') : '49152 65535';
  expect(await freePort()).toBeLessThan(parseInt(range));
});
