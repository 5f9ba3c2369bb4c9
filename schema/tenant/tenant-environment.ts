/** What is learned on the way through a file. */
export interface Reading {
  dynamic: boolean;
  environment: Readonly<Record<string, string | undefined>>;
  issues: { path: string; reason: string }[];
  literalSecrets: string[];
}

const SECRETS = new Set(['password', 'client_secret', 'token', 'jwkPrivate']);

/** Drops `//` comments and puts environment values in place of `{ "$env": NAME }`. */
export function prepare(value: unknown, path: readonly (string | number)[], reading: Reading): unknown {
  if (Array.isArray(value)) return value.map((item, index) => prepare(item, [...path, index], reading));
  if (typeof value !== 'object' || value === null) return value;
  if ('$env' in value) return fromEnvironment(value, path, reading);
  const entries = Object.entries(value as Record<string, unknown>).filter(([name]) => !name.startsWith('//'));
  return Object.fromEntries(
    entries.flatMap(([name, child]) => {
      const at = [...path, name];
      if (SECRETS.has(name) && literalPart(child)) reading.literalSecrets.push(jsonPath(at));
      const prepared = prepare(child, at, reading);
      return prepared === undefined ? [] : [[name, prepared]];
    }),
  );
}

/** What of a value stands in the file itself. */
function literalPart(value: unknown): unknown {
  const reference = typeof value === 'object' && value !== null && '$env' in value;
  return reference ? (value as { default?: unknown }).default : value;
}

/**
 * An environment value; one that stands where an object belongs (a JWK) may be JSON. `{ "$env": NAME, "default": … }`
 * need not be set; a default of null leaves the key out.
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
  if (!String(path.at(-1)).startsWith('jwk')) return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    reading.issues.push({ path: at, reason: `environment variable ${name} must hold JSON` });
    return undefined;
  }
}

/** `images[0].mrn`: where in a file something stands. */
export function jsonPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, part) =>
      typeof part === 'number' ? `${text}[${part}]` : text ? `${text}.${String(part)}` : String(part),
    '',
  );
}
