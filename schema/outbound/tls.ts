import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';

/** Certificates of connections: each value is the absolute path of a PEM file, or PEM text (RFC 7468). */
export interface TlsConfig {
  /** The authorities whose certificates are trusted, and no others. Without it: those of the system. */
  ca?: string | undefined;
  /** Our certificate, with those between it and its authority, and its private key. */
  certificate?: string | undefined;
  key?: string | undefined;
}

/** The PEM texts, under the names that `node:tls` has for them. */
export interface TlsMaterial {
  ca?: string;
  cert?: string;
  key?: string;
}

export interface TlsLog {
  info(details: object, message: string): void;
  error(details: object, message: string): void;
}

/** Returns a log that adds details to each line. */
export function withDetails(log: TlsLog, more: object): TlsLog {
  return {
    info: (details, message) => log.info({ ...more, ...details }, message),
    error: (details, message) => log.error({ ...more, ...details }, message),
  };
}

/** A certificate or a key that cannot be used; `part` names its key in the configuration. */
export class TlsError extends Error {
  readonly part: keyof TlsConfig;

  constructor(part: keyof TlsConfig, reason: string) {
    super(reason);
    this.part = part;
  }
}

const PEM = /^\s*-----BEGIN /;
const CERTIFICATES = /-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs;
/** Milliseconds between two looks at the files. */
const INTERVAL = 1000;

/** Tells PEM text from the path of a file. */
export const isPem = (value: string): boolean => PEM.test(value);

/**
 * Reads certificates and key, and tries them.
 * @throws TlsError with a reason that has the path of the file, and never a part of its content
 */
export function readTls(config: TlsConfig): TlsMaterial {
  const { ca, certificate, key } = config;
  const material: TlsMaterial = {};
  if (ca !== undefined) material.ca = certificatesOf('ca', ca);
  if (certificate === undefined || key === undefined) return material;
  material.cert = certificatesOf('certificate', certificate);
  material.key = textOf('key', key);
  if (!new X509Certificate(material.cert).checkPrivateKey(privateKey(key, material.key)))
    throw new TlsError('key', named(key, 'does not belong to the certificate'));
  try {
    // OpenSSL also refuses keys that are too short.
    createSecureContext(material);
  } catch (error) {
    throw new TlsError(
      'certificate',
      named(certificate, `is refused (${(error as { code?: string }).code})`),
    );
  }
  return material;
}

/**
 * Tells why our own certificate is not valid at this moment. A start does not fail for it: a restart after the last day would
 * stop all tenants.
 */
function expiryOf({ certificate }: TlsConfig): string | undefined {
  if (certificate === undefined) return undefined;
  const { validFrom, validTo } = new X509Certificate(textOf('certificate', certificate));
  const now = Date.now();
  if (Date.parse(validTo) < now) return named(certificate, `has expired on ${validTo}`);
  return Date.parse(validFrom) > now ? named(certificate, `is not valid before ${validFrom}`) : undefined;
}

/**
 * Certificates whose files are read again when they change. The files are looked at when a connection is made, at most once
 * in a second: this needs no timer, and finds the links that Kubernetes replaces. Files that cannot be used are logged, and
 * those before them stay in use.
 */
export class RenewedTls {
  readonly #config: TlsConfig;
  readonly #log: TlsLog;
  #material: TlsMaterial;
  #stamp: string;
  #checked = Date.now();

  /** @throws TlsError */
  constructor(config: TlsConfig, log: TlsLog) {
    this.#config = config;
    this.#log = log;
    this.#stamp = stampOf(config);
    this.#material = readTls(config);
    this.#logExpiry();
  }

  #logExpiry(): void {
    const reason = expiryOf(this.#config);
    if (reason) this.#log.error({ part: 'certificate', reason }, 'tls: our certificate is not valid now');
  }

  /** Returns the certificates of now: the same object until they change. */
  current(): TlsMaterial {
    if (Math.abs(Date.now() - this.#checked) < INTERVAL) return this.#material;
    this.#checked = Date.now();
    const stamp = stampOf(this.#config);
    if (stamp === this.#stamp) return this.#material;
    this.#stamp = stamp;
    try {
      this.#material = readTls(this.#config);
      this.#log.info({}, 'tls: changed certificates are used from now on');
      this.#logExpiry();
    } catch (error) {
      if (!(error instanceof TlsError)) throw error;
      const { part, message: reason } = error;
      this.#log.error({ part, reason }, 'tls: changed certificates cannot be used; those before stay in use');
    }
    return this.#material;
  }
}

/** Returns a text that differs when a file is written, replaced or removed. */
function stampOf({ ca, certificate, key }: TlsConfig): string {
  const stamps = [ca, certificate, key].map((value) => {
    if (value === undefined || isPem(value)) return '';
    try {
      const { ino, size, mtimeMs, ctimeMs } = statSync(value);
      return `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code;
    }
  });
  return JSON.stringify(stamps);
}

function privateKey(value: string, text: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch {
    const isEncrypted = text.includes('ENCRYPTED');
    const reason = isEncrypted ? 'is encrypted with a passphrase' : 'has no private key in PEM format';
    const other = /-----BEGIN [A-Z ]*(PUBLIC KEY|CERTIFICATE)-----/.exec(text)?.[1]?.toLowerCase();
    throw new TlsError('key', named(value, other ? `${reason}, but a ${other}` : reason + lineBreaks(text)));
  }
}

function certificatesOf(part: keyof TlsConfig, value: string): string {
  const text = textOf(part, value);
  const all = text.match(CERTIFICATES) ?? [];
  if (all.length === 0) throw new TlsError(part, named(value, 'has no certificate in PEM format'));
  for (const one of all) {
    try {
      new X509Certificate(one);
    } catch {
      throw new TlsError(part, named(value, `has a damaged certificate${lineBreaks(one)}`));
    }
  }
  return text;
}

function textOf(part: keyof TlsConfig, value: string): string {
  if (isPem(value)) return value;
  try {
    return readFileSync(value, 'utf8');
  } catch (error) {
    throw new TlsError(part, named(value, `cannot be read (${(error as NodeJS.ErrnoException).code})`));
  }
}

/** Explains PEM text that went through a tool that writes a line break as two characters. */
const lineBreaks = (text: string): string =>
  text.includes(String.raw`\n`) ? String.raw`: it has the characters \n where line breaks have to be` : '';

const named = (value: string, reason: string): string => `${isPem(value) ? 'the PEM text' : value} ${reason}`;
