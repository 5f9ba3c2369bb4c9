import { z } from 'zod';
import type { Files } from './generate/files.ts';
import { writeOrCheck } from './generate/files.ts';
import { tenantFile } from './tenant-file.ts';

/**
 * Writes `tenant.schema.json`, by which editors complete and check tenant files.
 *
 *     tsx schema/tenant-schema.ts           writes it
 *     tsx schema/tenant-schema.ts --check   writes nothing; fails where the committed file is stale
 */
export function tenantSchema(): Files {
  const schema = z.toJSONSchema(tenantFile, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => admitReferences(jsonSchema),
  });
  const document = { title: 'Tenant of the SMART Imaging Gateway', ...schema, $defs: { env: REFERENCE } };
  return { 'tenant.schema.json': `${JSON.stringify(document, null, 2)}\n` };
}

/** What the reader of tenant files takes in place of any string, and of a JWK. */
const REFERENCE = {
  type: 'object',
  description: 'A value of the environment; a default of null leaves the key out.',
  properties: { $env: { type: 'string' }, default: {} },
  required: ['$env'],
  additionalProperties: false,
};

/** Comment keys and environment references are gone before zod looks, so its schema does not know of them. */
function admitReferences(schema: z.core.JSONSchema.BaseSchema): void {
  if (schema.additionalProperties === false) schema.patternProperties = { '^//': {} };
  const { properties } = schema;
  for (const [name, property] of Object.entries(properties ?? {})) {
    if (typeof property === 'boolean' || name === '$schema') continue;
    const free = property.type === 'string' && property.const === undefined;
    if (!free && !name.startsWith('jwk')) continue;
    const { default: fallback, ...rest } = property;
    properties![name] = {
      anyOf: [rest, { $ref: '#/$defs/env' }],
      ...(fallback === undefined ? {} : { default: fallback }),
    } as z.core.JSONSchema.BaseSchema;
  }
}

if (import.meta.filename === process.argv[1]) {
  process.exitCode = writeOrCheck(
    new URL('./', import.meta.url),
    tenantSchema(),
    process.argv.slice(2),
    'npx tsx schema/tenant-schema.ts',
  );
}
