import { createPrivateKey, createPublicKey, sign, verify, type JsonWebKey } from 'node:crypto';
import { assertionAlgorithm } from '../../smart/token/backend-token.ts';

/** Curves of the algorithms (RFC 7518 §3.4). */
const CURVES: Readonly<Record<string, string>> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' };
/** Bits of an RSA key, at least (RFC 7518 §3.3). */
const SHORTEST_RSA = 2048;

/**
 * Tries the private key that signs our client assertions.
 * @returns why it cannot be used, as the end of a sentence, without any of its values; undefined for a good key
 */
export function clientKeyMistake(jwk: JsonWebKey): string | undefined {
  const { kty, crv, d, x, y, n, e } = jwk;
  const alg = assertionAlgorithm(jwk);
  if (kty !== 'EC' && kty !== 'RSA') return 'must have kty EC (for ES384) or RSA (for RS384)';
  if (d === undefined) return 'is a public key; a private one has the member d';
  const curve = CURVES[alg];
  if (kty === 'EC' ? curve === undefined : !/^[RP]S\d/.test(alg))
    return `has alg ${alg}, which is not one of a key with kty ${kty}`;
  if (kty === 'EC' && crv !== curve) return `has another curve than ${curve}, which ${alg} needs`;
  try {
    const key = createPrivateKey({ key: jwk, format: 'jwk' });
    if ((key.asymmetricKeyDetails?.modulusLength ?? SHORTEST_RSA) < SHORTEST_RSA)
      return `has fewer than ${SHORTEST_RSA} bits`;
    const ownPublic = createPublicKey({ key: { kty, crv, x, y, n, e }, format: 'jwk' });
    const text = Buffer.from('a client assertion');
    if (verify('sha384', text, ownPublic, sign('sha384', text, key))) return undefined;
    return 'has a private and a public half that are not a pair';
  } catch {
    return 'is no complete private key (RFC 7518 §6)';
  }
}
