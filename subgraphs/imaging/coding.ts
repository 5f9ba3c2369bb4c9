import { promisify } from 'node:util';
import { brotliCompress, brotliDecompress, constants, gzip } from 'node:zlib';

/** Content codings of answers (RFC 9110 §8.4.1). */

export type Coding = 'br' | 'gzip' | 'identity';

/** Best first. */
export const CODINGS: readonly Coding[] = ['br', 'gzip', 'identity'];

/** The best that an Accept-Encoding takes. */
export function acceptedCoding(header: string): Coding {
  const takes = (coding: Coding) =>
    new RegExp(`\\b${coding}\\b(?!\\s*;\\s*q=0(\\.0*)?\\s*(,|$))`, 'i').test(header);
  return CODINGS.find(takes) ?? 'identity';
}

const gzipped = promisify(gzip);
const brotlied = promisify(brotliCompress);
const unbrotlied = promisify(brotliDecompress);

/** As far as it pays while somebody waits. */
const QUALITY = { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } };

export async function compressed(body: Buffer, coding: Coding): Promise<Buffer> {
  if (coding === 'br') return brotlied(body, QUALITY);
  return coding === 'gzip' ? gzipped(body) : body;
}

/** The text that was compressed as `br`. */
export async function decompressed(bytes: Buffer): Promise<string> {
  return String(await unbrotlied(bytes));
}
