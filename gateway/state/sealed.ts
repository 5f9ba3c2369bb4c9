import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';

/** Encrypts text so that only processes with the same SEALING_KEY can write and read it. */
export interface Sealer {
  /** Seals text. @param name name of its entry: text sealed under one name does not open under another */
  seal(text: string, name: string): string;
  /** Opens text; undefined if none of the keys sealed it under this name. */
  open(sealed: string, name: string): string | undefined;
  /** Tells if the first key sealed it, and not an older one. */
  isCurrent(sealed: string, name: string): boolean;
}

/**
 * Names the form of all entries. Append a number to it when they change so that another version would misread them: what one
 * version has sealed then does not open in the other, and counts as missing, also while both run during an upgrade.
 */
const FORMAT = 'smart-imaging-gateway shared state';
const NONCE = 12;
const TAG = 16;

/**
 * Returns a sealer with AES-256-GCM. Each name has its own key (HMAC-SHA-256 of the name), so that many entries do not
 * make a repeated nonce likely.
 * @param secrets SEALING_KEY: the first key seals, all keys open
 * @param format that of this version, or of another one in a test
 */
export function sealer(secrets: readonly string[], format = FORMAT): Sealer {
  const keys = secrets.map((secret) => Buffer.from(hkdfSync('sha256', secret, '', format, 32)));
  const keyOf = (key: Buffer, name: string) => createHmac('sha256', key).update(name).digest();

  const openWith = (key: Buffer, sealed: string, name: string): string | undefined => {
    const bytes = Buffer.from(sealed, 'base64');
    if (bytes.length < NONCE + TAG) return undefined;
    const decipher = createDecipheriv('aes-256-gcm', keyOf(key, name), bytes.subarray(0, NONCE));
    decipher.setAuthTag(bytes.subarray(-TAG));
    try {
      return decipher.update(bytes.subarray(NONCE, -TAG), undefined, 'utf8') + decipher.final('utf8');
    } catch {
      return undefined;
    }
  };

  return {
    seal(text, name) {
      const nonce = randomBytes(NONCE);
      const cipher = createCipheriv('aes-256-gcm', keyOf(keys[0]!, name), nonce);
      return Buffer.concat([nonce, cipher.update(text), cipher.final(), cipher.getAuthTag()]).toString(
        'base64',
      );
    },
    open(sealed, name) {
      for (const key of keys) {
        const text = openWith(key, sealed, name);
        if (text !== undefined) return text;
      }
      return undefined;
    },
    isCurrent: (sealed, name) => openWith(keys[0]!, sealed, name) !== undefined,
  };
}
