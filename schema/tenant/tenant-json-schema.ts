import { z } from 'zod';
import { writeOrCheck, type Files } from '../generate/files.ts';
import { KEY_MEANINGS } from './key-meanings.ts';
import { isKey } from './tenant-environment.ts';
import { tenantFile } from './tenant-file.ts';
import { keysOf, type SchemaNode } from './tenant-keys.ts';

/**
 * Generates `tenant.schema.json`, with which editors complete and check tenant files.
 *
 *     tsx schema/tenant/tenant-json-schema.ts           writes it
 *     tsx schema/tenant/tenant-json-schema.ts --check   writes nothing; fails when the committed file is stale
 */
export function tenantSchema(): Files {
  const schema = describedTenantFile();
  // Comments and environment references are resolved before zod validates, so zod's schema does not have them.
  for (const { owner, name, schema: property } of [...keysOf(schema)]) {
    if (owner.additionalProperties === false) owner.patternProperties = { '^//': {} };
    owner.properties![name] = withReference(name, property);
  }
  const document = { title: 'Tenant of the SMART Imaging Gateway', ...schema, $defs: { env: REFERENCE } };
  return { 'tenant.schema.json': `${JSON.stringify(document, null, 2)}\n` };
}

/**
 * Returns the JSON Schema of a tenant file, with the meaning of every key.
 * @throws Error when a key has no meaning, or a meaning has no key
 */
export function describedTenantFile(): SchemaNode {
  // A copy, because zod returns one object for a part that is used twice.
  const schema = structuredClone(
    z.toJSONSchema(tenantFile, { io: 'input', unrepresentable: 'any' }),
  ) as SchemaNode;
  const keys = [...keysOf(schema)];
  for (const key of keys) {
    const meaning = KEY_MEANINGS[key.path];
    if (meaning === undefined) throw new Error(`key-meanings.ts does not say what ${key.path} means.`);
    key.schema.description = meaning;
  }
  const known = new Set(keys.map(({ path }) => path));
  const unknown = Object.keys(KEY_MEANINGS).filter((path) => !known.has(path));
  if (unknown.length > 0)
    throw new Error(`key-meanings.ts names keys that do not exist: ${unknown.join(', ')}`);
  return schema;
}

/** Environment reference, which a tenant file may have in place of any string or JWK. */
const REFERENCE: SchemaNode = {
  type: 'object',
  description: 'A value of the environment; a default of null leaves the key out.',
  properties: { $env: { type: 'string' }, default: {} },
  required: ['$env'],
  additionalProperties: false,
};

function withReference(name: string, property: SchemaNode): SchemaNode {
  const isString = property.type === 'string' && property.const === undefined;
  if (!isString && !isKey(name)) return property;
  const { default: fallback, description, ...value } = property;
  return {
    description: description!,
    anyOf: [value, { $ref: '#/$defs/env' }],
    ...(fallback === undefined ? {} : { default: fallback }),
  };
}

if (import.meta.filename === process.argv[1]) {
  process.exitCode = writeOrCheck(
    new URL('../', import.meta.url),
    tenantSchema(),
    process.argv.slice(2),
    'npx tsx schema/tenant/tenant-json-schema.ts',
  );
}
