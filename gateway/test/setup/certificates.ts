/** A certification authority of a test, made with openssl in a folder of its own. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Paths of PEM files. */
export interface Certificate {
  certificate: string;
  key: string;
}

export interface Authority {
  directory: string;
  /** Path of the certificate of the authority. */
  ca: string;
  /** Signs a certificate for `localhost`, `127.0.0.1` and `::1`, or for other names (`DNS:…`, `IP:…`). */
  issue(name: string, names?: string): Certificate;
  remove(): void;
}

const openssl = (...args: string[]) => execFileSync('/usr/bin/openssl', args, { stdio: 'pipe' });
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];

export function createAuthority(): Authority {
  const directory = mkdtempSync(join(tmpdir(), 'authority-'));
  const ca = join(directory, 'ca.pem');
  const caKey = join(directory, 'ca.key');
  openssl('req', '-x509', ...NEW_KEY, '-subj', '/CN=Hospital CA', '-keyout', caKey, '-out', ca);
  return {
    directory,
    ca,
    issue(name, names = 'DNS:localhost,IP:127.0.0.1,IP:::1') {
      const [certificate, key] = [join(directory, `${name}.pem`), join(directory, `${name}.key`)];
      const signed = ['-CA', ca, '-CAkey', caKey, '-addext', `subjectAltName=${names}`];
      const subject = ['-subj', `/CN=${name}`, '-addext', 'basicConstraints=critical,CA:FALSE'];
      openssl('req', '-x509', ...NEW_KEY, ...signed, ...subject, '-keyout', key, '-out', certificate);
      return { certificate, key };
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** Copies a certificate and its key over another, as a program that renews them does. */
export function replace(target: Certificate, { certificate, key }: Certificate): void {
  writeFileSync(target.certificate, readFileSync(certificate));
  writeFileSync(target.key, readFileSync(key));
}
