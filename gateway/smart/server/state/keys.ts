import type { JWK } from 'jose';
import { exportJWK, generateKeyPair } from 'jose';
import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { requireKnownFormat } from '../../../../schema/process/data-format.ts';
import { keep, readKept } from '../../../state/kept-file.ts';

/** The secrets of one tenant's authorization server. */
export interface Keys {
  /** Private signing keys: RSA for RS256 (required by OpenID Connect) and RS384, P-384 for ES384. */
  jwks: JWK[];
  /** Secrets that sign cookies. */
  cookies: string[];
}

/** Of the file. Increase it when older versions cannot read it any more. */
const FORMAT = 1;

/**
 * Reads the tenant's keys from a file of mode 0600, which is created at the first use. Each tenant has its own: the key of
 * one issuer signs nothing for another.
 * @param directory created with mode 0700 if it does not exist
 * @param tenant key of the tenant, safe as a file name
 * @throws NewerDataError
 */
export async function tenantKeys(directory: string, tenant: string): Promise<Keys> {
  const file = join(directory, `${tenant}.keys.json`);
  const text = readKept(file) ?? keep(file, JSON.stringify({ format: FORMAT, ...(await newKeys()) }));
  const { format, jwks, cookies } = JSON.parse(text) as Keys & { format?: number };
  requireKnownFormat(file, format, FORMAT);
  return { jwks, cookies };
}

async function newKeys(): Promise<Keys> {
  return {
    jwks: [await signingKey('RS256'), await signingKey('ES384')],
    cookies: [randomBytes(32).toString('base64url')],
  };
}

async function signingKey(algorithm: 'RS256' | 'ES384'): Promise<JWK> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
  // No `alg`: the RSA key serves RS256 and RS384.
  return { ...(await exportJWK(privateKey)), kid: randomUUID(), use: 'sig' };
}
