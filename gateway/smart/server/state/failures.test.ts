import { describe, expect, test } from 'vitest';
import { failures, namedClient, networkOf } from './failures.ts';

const asker = { endpoint: '/token', client: 'app', address: '192.0.2.1' };
const counted = (times: number, of: (index: number) => typeof asker = () => asker) => {
  const clock = { now: 0 };
  const all = failures(() => clock.now);
  for (let index = 0; index < times; index++) all.count(of(index));
  return { all, clock };
};

test('30 failures of a client at an address lock both out of the endpoint for the rest of a minute', () => {
  expect(counted(29).all.wait(asker)).toBeUndefined();
  const { all, clock } = counted(30);
  expect(all.wait(asker)).toBe(60);
  clock.now += 59_500;
  expect(all.wait(asker)).toBe(1);
  clock.now += 500;
  expect(all.wait(asker)).toBeUndefined();
});

test.each([
  ['another address', { address: '192.0.2.2' }],
  ['another client', { client: 'other' }],
  ['another endpoint', { endpoint: '/introspect' }],
])('%s is not locked out', (_, other) => {
  expect(counted(100).all.wait({ ...asker, ...other })).toBeUndefined();
});

test('120 failures at an address lock out all clients there', () => {
  const { all } = counted(120, (index) => ({ ...asker, client: `made-up-${index}` }));
  expect(all.wait({ ...asker, client: 'new' })).toBe(60);
  expect(all.wait({ ...asker, address: '192.0.2.2' })).toBeUndefined();
});

test('20,000 attackers with names of 5,000 characters take a few megabytes, not 100', () => {
  const before = process.memoryUsage().heapUsed;
  const { all } = counted(20_000, (index) => ({
    ...asker,
    client: String(index).padEnd(5000, 'x'),
    address: `2001:db8:${(index >> 8).toString(16)}:${(index & 255).toString(16)}::1`,
  }));
  expect((process.memoryUsage().heapUsed - before) / 1e6).toBeLessThan(50);
  expect(all.wait(asker)).toBeUndefined();
});

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:DB8:1:2::6', '2001:db8:1:2'],
  ['2001:db8::6', '2001:db8:0:0'],
  ['2001:0db8:0001::', '2001:db8:1:0'],
  ['::1', '0:0:0:0'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
])('%s counts as %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});

describe('the client that a request names', () => {
  const jwt = (claims: string) => `x.${Buffer.from(claims).toString('base64url')}.x`;
  test.each<[string, string | undefined, Record<string, string>, string]>([
    ['Basic', `Basic ${btoa('app%20one:secret')}`, {}, 'app one'],
    ['Basic in lower case', `basic ${btoa('a+b:secret')}`, { client_id: 'other' }, 'a b'],
    ['invalid Basic', `Basic ${btoa('%zz:secret')}`, {}, '%zz'],
    ['a form', undefined, { client_id: 'app' }, 'app'],
    ['an assertion', undefined, { client_assertion: jwt('{"sub":"app"}'), client_id: 'other' }, 'app'],
    ['an assertion without a subject', undefined, { client_assertion: jwt('{}') }, ''],
    ['an invalid assertion', undefined, { client_assertion: jwt('{'), client_id: 'app' }, 'app'],
    ['a bearer token', 'Bearer x', {}, ''],
    ['nothing', undefined, {}, ''],
  ])('%s', (_, authorization, form, client) => {
    expect(namedClient(authorization, new URLSearchParams(form))).toBe(client);
  });
});
