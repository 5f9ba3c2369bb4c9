import { describe, expect, test } from 'vitest';
import { isLoopback, isRegistered } from './loopback.ts';

test.each([
  ['http://localhost:4000', true],
  ['http://127.0.0.1/prefix', true],
  ['http://[::1]:4000', true],
  ['http://localhost.example.org', false],
  ['http://127.0.0.1.example.org', false],
])('%s is this machine: %s', (base, expected) => {
  expect(isLoopback(base)).toBe(expected);
});

describe('RFC 8252 §7.3: the port of a loopback address is free, all else is compared exactly', () => {
  test.each([
    ['http://127.0.0.1/cb', 'http://127.0.0.1:51004/cb', true],
    ['http://127.0.0.1:9/cb?a=1', 'http://127.0.0.1:65535/cb?a=1', true],
    ['http://[::1]:9/cb', 'http://[::1]:51004/cb', true],
    ['http://127.0.0.1:9', 'http://127.0.0.1:10', true],
    ['http://127.0.0.1:9/cb', 'http://127.0.0.1:65536/cb', false],
    ['http://127.0.0.1:9/cb', 'http://127.0.0.1:9/cb/', false],
    ['http://127.0.0.1:9/cb', 'http://127.0.0.1:9/cb?a=1', false],
    ['http://127.0.0.1:9/cb', 'http://127.0.0.1:9/x/../cb', false],
    ['http://127.0.0.1:9/cb', 'https://127.0.0.1:9/cb', false],
    ['http://127.0.0.1:9/cb', 'http://127.0.0.2:9/cb', false],
    ['http://127.0.0.1:9/cb', 'http://[::1]:9/cb', false],
    ['http://127.0.0.1:9/cb', 'http://127.0.0.1:9@evil.example.org/cb', false],
    ['http://127.0.0.1:9/cb', 'http://127.0.0.1:9.evil.example.org/cb', false],
    ['http://127.0.0.1:9/cb', 'http://127.0.0.1:9\\@evil.example.org/cb', false],
    ['http://127.0.0.1:9/cb', 'http://user@127.0.0.1:9/cb', false],
    ['http://127.0.0.1:9/cb', 'http://127.1:9/cb', false],
    ['http://localhost:9/cb', 'http://localhost:10/cb', false],
    ['http://localhost:9/cb', 'http://localhost:9/cb', true],
    ['https://app.example.org/cb', 'https://app.example.org:8443/cb', false],
    ['http://app.example.org:9/cb', 'http://app.example.org:10/cb', false],
    ['org.example.app:/done', 'org.example.app:/done', true],
    ['org.example.app:/done', 'org.example.app:/other', false],
  ])('registered %s, requested %s: %s', (registered, asked, expected) => {
    expect(isRegistered(asked, ['https://other.example.org/', registered])).toBe(expected);
  });
});
