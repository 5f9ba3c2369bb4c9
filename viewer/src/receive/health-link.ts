import { base64Bytes } from '../domain/documents/inline-bytes.ts';

/** A SMART Health Link as this page reads it (HL7 SMART Health Cards and Links, "Construct a SMART Health Link Payload"). */
export interface HealthLink {
  /** Address of its manifest. */
  url: string;
  /** Of the files: 256 bits as base64url. */
  key: string;
  /** Seconds since the epoch. */
  exp?: number | undefined;
  label?: string | undefined;
  hasPasscode: boolean;
}

/**
 * Reads a link from the fragment of the address. Only links of the gateway that serves this page count: no other gets what a
 * person types here.
 * @param base of the gateway, with a slash at the end
 * @returns undefined for anything else
 */
export function readHealthLink(fragment: string, base: string): HealthLink | undefined {
  const [, payload = ''] = /shlink:\/([\w-]+)$/.exec(fragment) ?? [];
  try {
    const read: unknown = JSON.parse(new TextDecoder().decode(base64Bytes(payload)));
    const { url, key, exp, label, flag } = read as Record<string, unknown>;
    if (typeof url !== 'string' || !url.startsWith(base) || !/\/shl\/[\w-]{43}$/.test(url)) return undefined;
    if (typeof key !== 'string' || !/^[\w-]{43}$/.test(key)) return undefined;
    return {
      url,
      key,
      exp: typeof exp === 'number' ? exp : undefined,
      label: typeof label === 'string' ? label : undefined,
      hasPasscode: typeof flag === 'string' && flag.includes('P'),
    };
  } catch {
    return undefined;
  }
}
