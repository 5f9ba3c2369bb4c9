/** The part of JSON Schema (2020-12) that zod writes for a tenant file. */
export interface SchemaNode {
  type?: string | string[];
  description?: string;
  const?: unknown;
  enum?: unknown[];
  default?: unknown;
  minimum?: number;
  maximum?: number;
  required?: string[];
  additionalProperties?: unknown;
  patternProperties?: Record<string, SchemaNode>;
  properties?: Record<string, SchemaNode>;
  items?: SchemaNode;
  anyOf?: SchemaNode[];
  oneOf?: SchemaNode[];
  $ref?: string;
}

/** One key of one kind of object. A key of several kinds is listed once for each. */
export interface TenantKey {
  /** Names from the root, such as `images.connections.searches`; items of a list have the path of the list. */
  path: string;
  name: string;
  /** The value of `type` in the object with the key, if any. */
  type: string | undefined;
  required: boolean;
  /** The object with the key. */
  owner: SchemaNode;
  schema: SchemaNode;
}

/** Keys whose content other standards define; it is not described here. */
const FOREIGN = new Set(['jwk', 'jwkPrivate', 'jwks', 'patient']);

/** Lists every key that a schema allows, in the order of the schema. */
export function* keysOf(schema: SchemaNode, path = ''): Generator<TenantKey> {
  for (const alternative of [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])]) {
    yield* keysOf(alternative, path);
  }
  if (schema.items) yield* keysOf(schema.items, path);
  const type = schema.properties?.['type']?.const as string | undefined;
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (name === '$schema') continue;
    const below = path ? `${path}.${name}` : name;
    const required = schema.required?.includes(name) === true && property.default === undefined;
    yield { path: below, name, type, required, owner: schema, schema: property };
    if (!FOREIGN.has(name)) yield* keysOf(property, below);
  }
}
