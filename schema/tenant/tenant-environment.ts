import { isPem } from '../outbound/tls.ts';
import { jsonMistake } from '../process/json-mistake.ts';

/** State while a tenant file is read. */
export interface Reading {
  dynamic: boolean;
  environment: Readonly<Record<string, string | undefined>>;
  issues: { path: string; reason: string }[];
  literalSecrets: string[];
}

const SECRETS = new Set(['password', 'client_secret', 'token', 'jwkPrivate']);
/** A key in PEM format (RFC 7468 §10); `key` itself may be the path of a file. */
const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;

/** Returns true for the name of a member whose value is a JWK or a set of them (RFC 7517). */
export const isKey = (name: string): boolean => /^jwk(s|Private)?$/.test(name);

/** Removes `//` comments, and replaces `{ "$env": NAME }` by the value of the environment. */
export function prepare(value: unknown, path: readonly (string | number)[], reading: Reading): unknown {
  if (Array.isArray(value)) return value.map((item, index) => prepare(item, [...path, index], reading));
  if (typeof value !== 'object' || value === null) return value;
  if ('$env' in value) return fromEnvironment(value, path, reading);
  const entries = Object.entries(value as Record<string, unknown>).filter(([name]) => !name.startsWith('//'));
  return Object.fromEntries(
    entries.flatMap(([name, child]) => {
      const at = [...path, name];
      const literal = literalPart(child);
      if (literal && (SECRETS.has(name) || PRIVATE_KEY.test(String(literal))))
        reading.literalSecrets.push(jsonPath(at));
      const prepared = prepare(child, at, reading);
      return prepared === undefined ? [] : [[name, prepared]];
    }),
  );
}

/** Returns the part of a value that is written in the file itself. */
function literalPart(value: unknown): unknown {
  const reference = typeof value === 'object' && value !== null && '$env' in value;
  return reference ? (value as { default?: unknown }).default : value;
}

/**
 * Returns the value of an environment reference; for a JWK it is parsed as JSON. With `{ "$env": NAME, "default": … }` the
 * variable may be unset; a default of null removes the key.
 */
function fromEnvironment(
  reference: { $env?: unknown; default?: unknown },
  path: readonly (string | number)[],
  reading: Reading,
): unknown {
  const at = jsonPath(path);
  const name = reference.$env;
  const unknown = Object.keys(reference).filter((key) => key !== '$env' && key !== 'default');
  if (typeof name !== 'string' || unknown.length > 0) {
    reading.issues.push({
      path: at,
      reason: 'an environment reference reads { "$env": "NAME", "default": … }',
    });
    return undefined;
  }
  if (reading.dynamic) {
    reading.issues.push({ path: at, reason: 'a dynamic tenant may not refer to the environment' });
    return undefined;
  }
  const value = reading.environment[name];
  if (value === undefined) {
    if ('default' in reference) return reference.default ?? undefined;
    reading.issues.push({ path: at, reason: `environment variable ${name} is not set` });
    return undefined;
  }
  if (!isKey(String(path.at(-1)))) return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    const reason = isPem(value) ? 'it is PEM text' : jsonMistake(value);
    reading.issues.push({
      path: at,
      reason: `environment variable ${name} must hold a JWK as JSON: ${reason}`,
    });
    return undefined;
  }
}

/** Writes the path of a value in a file, such as `images[0].mrn`. */
export function jsonPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, part) =>
      typeof part === 'number' ? `${text}[${part}]` : text ? `${text}.${String(part)}` : String(part),
    '',
  );
}
