import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import {
  createAuthority,
  replace,
  type Authority,
  type Certificate,
} from '../../gateway/test/setup/certificates.ts';
import { passSecond } from '../../gateway/test/setup/pass-second.ts';
import { readTls, RenewedTls, TlsError, type TlsConfig } from './tls.ts';

let authority: Authority;
let ours: Certificate;
let other: Certificate;
beforeAll(() => {
  authority = createAuthority();
  [ours, other] = [authority.issue('ours'), authority.issue('other')];
});
afterAll(() => authority.remove());

const file = (name: string, text: string) => {
  const path = join(authority.directory, name);
  writeFileSync(path, text);
  return path;
};

const openssl = (...args: string[]) => execFileSync('/usr/bin/openssl', args, { encoding: 'utf8' });

test('reads files and PEM text, and passes on all certificates of a file', () => {
  const [ca, certificate, key] = [authority.ca, ours.certificate, ours.key].map((path) =>
    readFileSync(path, 'utf8'),
  );
  const material = { ca, cert: certificate, key };
  expect(readTls({ ca: authority.ca, ...ours })).toEqual(material);
  expect(readTls({ ca, certificate, key })).toEqual(material);
  expect(readTls({ ca: file('both.pem', `# hospital\n${ca}${certificate}`) }).ca).toContain(certificate);
});

test.each<[string, () => TlsConfig, part: string, reason: RegExp]>([
  [
    'a file that is not there',
    () => ({ ca: '/nowhere/ca.pem' }),
    'ca',
    /^\/nowhere\/ca.pem .*read \(ENOENT\)$/,
  ],
  [
    'a file without a certificate',
    () => ({ ca: file('x', 'secret') }),
    'ca',
    /no certificate in PEM format$/,
  ],
  ['a key in place of an authority', () => ({ ca: ours.key }), 'ca', /no certificate/],
  [
    'a damaged certificate',
    () => ({ ca: file('x', readFileSync(authority.ca, 'utf8').replace(/\n.{20}/, '\nAAAA')) }),
    'ca',
    /damaged certificate$/,
  ],
  ['no key', () => ({ ...ours, key: ours.certificate }), 'key', /ours.pem has no private key/],
  [
    'the key of another certificate',
    () => ({ ...ours, key: other.key }),
    'key',
    /not belong to the certificate$/,
  ],
  ['PEM text', () => ({ ca: '-----BEGIN SECRET-----' }), 'ca', /^the PEM text has no certificate/],
  [
    'an encrypted key',
    () => {
      const key = join(authority.directory, 'encrypted.key');
      const args = ['pkey', '-in', ours.key, '-aes256', '-passout', 'pass:secret', '-out', key];
      execFileSync('/usr/bin/openssl', args);
      return { ...ours, key };
    },
    'key',
    /is encrypted with a passphrase$/,
  ],
  [
    'a key that is too short',
    () => {
      const [certificate, key] = [join(authority.directory, 'rsa.pem'), join(authority.directory, 'rsa.key')];
      const args = ['req', '-x509', '-newkey', 'rsa:512', '-nodes', '-subj', '/CN=x'];
      execFileSync('/usr/bin/openssl', [...args, '-keyout', key, '-out', certificate], { stdio: 'pipe' });
      return { certificate, key };
    },
    'certificate',
    /is refused \(ERR_SSL_EE_KEY_TOO_SMALL\)$/,
  ],
])('%s is refused with its part and the reason, without its content', (_name, config, part, reason) => {
  const read = () => readTls(config());
  expect(read).toThrow(TlsError);
  expect(read).toThrow(expect.objectContaining({ part, message: expect.stringMatching(reason) }));
  expect(read).not.toThrow(/secret|SECRET/);
});

test('our certificate that is not valid now is reported with its day, and used', () => {
  const log = vi.fn();
  const read = () => new RenewedTls(ours, { info: log, error: log });
  read();
  expect(log).not.toHaveBeenCalled();
  vi.setSystemTime(Date.now() + 10 * 86_400_000);
  expect(read().current().cert).toContain('CERTIFICATE');
  vi.setSystemTime(Date.now() - 20 * 86_400_000);
  read();
  expect(log.mock.calls.map(([details]) => (details as { reason: string }).reason)).toEqual([
    expect.stringMatching(/ours\.pem has expired on \w+ .* GMT$/),
    expect.stringMatching(/ours\.pem is not valid before \w+ .* GMT$/),
  ]);
});

test.each([
  [
    'a public key',
    () => openssl('pkey', '-in', ours.key, '-pubout'),
    /no private key in PEM format, but a public key$/,
  ],
  [
    'line breaks as two characters',
    () => readFileSync(ours.key, 'utf8').replaceAll('\n', '\\n'),
    /no private key .*: it has the characters \\n where line breaks have to be$/,
  ],
])('a key that is %s is refused with this reason', (_what, key, reason) => {
  expect(() => readTls({ certificate: ours.certificate, key: key() })).toThrow(reason);
});

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }));
afterEach(() => void vi.useRealTimers());

test('files are read again a second after they change; broken ones are reported once, and not used', () => {
  const used = authority.issue('used');
  passSecond();
  const reports: unknown[] = [];
  const log = (details: { reason?: string }) => void reports.push(details.reason);
  const tls = new RenewedTls(used, { info: log, error: log });
  const first = tls.current();
  passSecond();
  expect(tls.current()).toBe(first);

  replace(used, ours);
  expect(tls.current()).toBe(first);
  passSecond();
  const second = tls.current();
  expect(second).toEqual(readTls(ours));

  writeFileSync(used.key, readFileSync(other.key));
  for (let i = 0; i < 3; i++) {
    passSecond();
    expect(tls.current()).toBe(second);
  }
  writeFileSync(used.certificate, readFileSync(other.certificate));
  passSecond();
  expect(tls.current()).toEqual(readTls(other));
  rmSync(used.key);
  passSecond();
  expect(tls.current()).toEqual(readTls(other));
  expect(reports).toEqual([
    undefined,
    `${used.key} does not belong to the certificate`,
    undefined,
    `${used.key} cannot be read (ENOENT)`,
  ]);
});
