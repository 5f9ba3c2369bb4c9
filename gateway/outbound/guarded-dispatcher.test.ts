import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Fault } from '../../schema/fault/fault.ts';
import { fetchThrough, guardedDispatcher, isLocalHost } from './guarded-dispatcher.ts';
import { isPublicAddress } from './public-address.ts';

describe('SM-15 public addresses', () => {
  test.each<[string, boolean]>([
    ['8.8.8.8', true],
    ['172.32.0.1', true],
    ['2606:4700::1111', true],
    ['0.0.0.0', false],
    ['10.1.2.3', false],
    ['100.64.0.1', false],
    ['127.0.0.1', false],
    ['127.255.0.9', false],
    ['169.254.169.254', false],
    ['172.16.0.1', false],
    ['172.31.255.255', false],
    ['192.168.1.1', false],
    ['224.0.0.1', false],
    ['255.255.255.255', false],
    ['::', false],
    ['::1', false],
    ['::ffff:10.0.0.1', false],
    ['::ffff:7f00:1', false],
    ['64:ff9b::a00:1', false],
    ['64:ff9b:1::a00:1', false],
    ['::ffff:8.8.8.8', false],
    ['::127.0.0.1', false],
    ['fec0::1', false],
    ['2001:db8::1', false],
    ['2002:a00:1::', false],
    ['2001:0:a00:1::', false],
    ['fc00::1', false],
    ['fd00:ec2::254', false],
    ['fe80::1', false],
    ['ff02::1', false],
    ['pacs.example.org', false],
  ])('%s: %s', (address, expected) => {
    expect(isPublicAddress(address)).toBe(expected);
  });

  test.each<[string, boolean]>([
    ['http://localhost/', true],
    ['http://api.localhost/', true],
    ['http://LOCALHOST./', true],
    ['http://2130706433/', true],
    ['http://0x7f.1/', true],
    ['http://[::1]/', true],
    ['http://[::ffff:127.0.0.1]/', true],
    ['http://[fd00::7]/', true],
    ['http://[fe80::1]/', true],
    ['http://[64:ff9b::127.0.0.1]/', true],
    ['http://[2606:4700::1111]/', false],
    ['http://localhost.example.org/', false],
    ['http://8.8.8.8/', false],
  ])('%s is local without a lookup: %s', (url, expected) => {
    expect(isLocalHost(new URL(url))).toBe(expected);
  });
});

describe('SM-15 connections of dynamic tenants', () => {
  let server: Server;
  let port: number;
  let requests = 0;
  beforeAll(async () => {
    server = createServer((request, response) => {
      requests++;
      if (request.url === '/moved') response.writeHead(302, { location: '/' });
      response.end('here');
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    port = (server.address() as AddressInfo).port;
  });
  afterAll(() => server.close());

  /** Resolves every name to this machine, as an attacker's DNS server may. */
  const rebound = ((_name: string, _options: unknown, done: (error: null, found: object[]) => void) =>
    done(null, [{ address: '127.0.0.1', family: 4 }])) as never;

  const get = async (
    host: string,
    path: string,
    allowed: string[],
    redirect: 'error' | 'manual' = 'error',
  ) => {
    const dispatcher = guardedDispatcher(new Set(allowed), rebound);
    try {
      const url = `http://${host}:${port}${path}`;
      return (await fetchThrough(dispatcher)(url, { redirect })).status;
    } catch (error) {
      const { cause } = error as Error;
      return cause instanceof Fault ? cause.code : 'failed';
    } finally {
      await dispatcher.close();
    }
  };

  test.each<[string, string[]]>([
    ['127.0.0.1', []],
    ['localhost', []],
    ['[::1]', []],
    ['[::ffff:127.0.0.1]', []],
    ['2130706433', []],
    ['rebound.example.org', []],
    ['rebound.example.org', ['other.example.org', '127.0.0.1']],
    ['127.0.0.1', ['127.0.0.1:1']],
  ])('do not reach %s with %o allowed', async (host, allowed) => {
    const before = requests;
    expect(await get(host, '/', allowed)).toBe('not_implemented');
    expect(requests).toBe(before);
  });

  test('reach the hosts that the operator allows', async () => {
    expect(await get('127.0.0.1', '/', ['127.0.0.1'])).toBe(200);
    expect(await get('127.0.0.1', '/', [`127.0.0.1:${port}`])).toBe(200);
  });

  test('do not follow redirects', async () => {
    const before = requests;
    expect(await get('127.0.0.1', '/moved', ['127.0.0.1'], 'manual')).toBe(302);
    expect(await get('127.0.0.1', '/moved', ['127.0.0.1'])).toBe('failed');
    expect(requests).toBe(before + 2);
  });
});
