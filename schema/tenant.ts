import type { Patient } from 'fhir/r4.js';
import { resolve } from 'node:path';
import { z } from 'zod';

/** Keys and types follow the tenant reference; `//key` comments and `$env` references are gone before this is applied. */

const url = z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }).transform(withoutSlash);
const jwk = z.looseObject({ kty: z.string() });

const client = z.strictObject({
  client_id: z.string().min(1),
  /** Public half, published for the authorization server; the private half signs our assertions. */
  jwk: z.looseObject({}).optional(),
  jwkPrivate: jwk.optional(),
  client_secret: z.string().optional(),
  /** How we authenticate the introspection call; by default a bearer token got by `client_credentials` (SM-7). */
  authentication: z
    .enum(['bearer', 'private_key_jwt', 'client_secret_basic', 'client_secret_post'])
    .optional(),
});

const registeredClient = z.looseObject({
  client_id: z.string().min(1),
  redirect_uris: z.array(z.string()).optional(),
});

const policyRow = z.strictObject({
  client_id: z.string(),
  patients: z.array(z.string()),
  studies: z.array(z.string()).optional(),
});

const shared = {
  scope: z.string().nullish(),
  modes: z.array(z.enum(['app-launch', 'backend-services'])).default(['app-launch']),
  introspectionTtl: z.number().min(0).max(3600).default(30),
  capabilityTtl: z.number().min(1).max(86400).default(300),
  refusedFields: z.enum(['null', 'reject']).default('null'),
  allowInsecureQuirks: z.boolean().default(false),
  policy: z.union([z.array(policyRow), z.strictObject({ url })]).default([]),
  withhold: z.array(z.looseObject({})).default([]),
  clients: z.array(registeredClient).default([]),
  /** Further values of `aud` that mean us; our own base and the clinical base always do (IA-5). */
  audience: z.array(z.string()).default([]),
};

const external = { ...shared, fhirBaseUrl: url, client: client.optional() };

/** Endpoints, where the EHR's discovery document is missing or wrong. */
const endpoints = {
  introspectionUrl: url.optional(),
  tokenUrl: url.optional(),
};

const authorization = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('smart-on-fhir'), ...external, ...endpoints }),
  z.strictObject({ type: z.literal('smart-on-fhir-with-epic-bugfixes'), ...external, ...endpoints }),
  z.strictObject({ type: z.literal('smart-on-fhir-with-meditech-bugfixes'), ...external, ...endpoints }),
  z.strictObject({ type: z.literal('smart-on-fhir-independent'), ...external, ...endpoints }),
  z.strictObject({
    type: z.literal('smart-on-fhir-jwt'),
    ...external,
    issuer: url.optional(),
    jwksUri: url.optional(),
    typ: z.array(z.string()).default(['at+jwt']),
    algorithms: z.array(z.enum(['RS256', 'RS384', 'ES256', 'ES384', 'PS256', 'PS384'])).optional(),
  }),
  z.strictObject({ type: z.literal('embedded'), ...shared, fhirBaseUrl: url.optional() }),
  z.strictObject({
    type: z.literal('mock'),
    ...shared,
    fhirBaseUrl: url.optional(),
    client: client.optional(),
    patient: z.custom<Patient>(isPatient, 'must be a FHIR Patient with an id').optional(),
    disableAuthzChecks: z.boolean().default(false),
    /** Older spelling of `disableAuthzChecks`. */
    disabled: z.boolean().optional(),
  }),
]);

const clinical = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('fhir'), baseUrl: url }),
  z.strictObject({ type: z.literal('store'), path: z.string().min(1) }),
  z.strictObject({ type: z.literal('none') }),
]);

const sourceAuthentication = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('open') }),
  z.strictObject({ type: z.literal('http-basic'), username: z.string(), password: z.string() }),
  z.strictObject({ type: z.literal('bearer'), token: z.string().min(1) }),
  z.strictObject({
    type: z.literal('oauth2'),
    tokenUrl: url,
    client_id: z.string(),
    client_secret: z.string(),
    scope: z.string().optional(),
  }),
]);

/** The patient's MR-typed identifier, then the first identifier there is (DW-19). */
const DEFAULT_MRN = ["identifier.where(type.coding.code='MR').value", 'identifier.value.first()'];

const imageSource = {
  lookup: z
    .enum(['all-studies-on-server', 'studies-by-mrn', 'studies-by-accession', 'studies-by-identifier'])
    .transform((lookup) => (lookup === 'studies-by-identifier' ? 'studies-by-mrn' : lookup)),
  mrn: z.array(z.string().min(1)).min(1).default(DEFAULT_MRN),
  issuer: z.string().optional(),
  matchBirthDate: z.boolean().default(false),
  delay: z
    .strictObject({ lookupUntil: z.number().default(0), retrieveUntil: z.number().default(0) })
    .default({ lookupUntil: 0, retrieveUntil: 0 }),
  patience: z.number().positive().max(600).default(20),
  endpointStyle: z.enum(['contained', 'included']).default('contained'),
  retrieve: z.enum(['token', 'capability', 'bearer-capability']).default('token'),
  strictQuery: z.boolean().default(false),
};

const images = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('dicom-web'),
    ...imageSource,
    endpoint: url,
    authentication: sourceAuthentication.default({ type: 'open' }),
  }),
  z.strictObject({
    type: z.literal('dicom-dimse'),
    ...imageSource,
    endpoint: z.string().regex(/^dimse:\/\/[^/:]+:\d+$/, 'must read dimse://host:port'),
    ae: z.string().min(1).max(16).default('STORESCP'),
    retrieval: z.enum(['c-get', 'c-move']).default('c-get'),
    authentication: sourceAuthentication.optional(),
  }),
  z.strictObject({ type: z.literal('folder'), ...imageSource, path: z.string().min(1) }),
]);

const audit = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('stdout') }),
  z.strictObject({ type: z.literal('file'), path: z.string().min(1) }),
  z.strictObject({ type: z.literal('fhir'), baseUrl: url }),
]);

/** A tenant file; `schema/tenant.schema.json` is generated from it. */
export const tenantFile = z.strictObject({
  $schema: z.string().optional(),
  authorization,
  clinical: clinical.optional(),
  images: z.union([images, z.array(images).min(1)]),
  graphql: z
    .strictObject({
      introspection: z.boolean().default(false),
      trustedDocumentsOnly: z.boolean().default(false),
    })
    .default({ introspection: false, trustedDocumentsOnly: false }),
  audit: audit.default({ type: 'stdout' }),
});

export type AuthorizationConfig = z.infer<typeof authorization>;
export type ClinicalConfig = z.infer<typeof clinical>;
export type ImagesConfig = z.infer<typeof images>;
export type AuditConfig = z.infer<typeof audit>;

/** One tenant, parsed: what the rest of the process knows of its configuration. */
export interface Tenant {
  /** File name without `.json`, or a hash of a dynamic configuration. Safe to log. */
  key: string;
  /** What stands in the URL: `open`, or `dyn/{encoded}`. A dynamic one is a secret (SM-14). */
  path: string;
  dynamic: boolean;
  authorization: AuthorizationConfig;
  clinical: ClinicalConfig;
  /** One or more; folder paths are absolute. */
  images: readonly ImagesConfig[];
  graphql: { introspection: boolean; trustedDocumentsOnly: boolean };
  audit: AuditConfig;
}

/** A configuration that cannot be used: every reason with its JSON path. */
export class TenantError extends Error {
  readonly issues: readonly { path: string; reason: string }[];

  constructor(issues: readonly { path: string; reason: string }[]) {
    super(issues.map(({ path, reason }) => `${path || '(root)'}: ${reason}`).join('\n'));
    this.name = 'TenantError';
    this.issues = issues;
  }
}

export interface TenantOrigin {
  key: string;
  path: string;
  dynamic: boolean;
  /** Relative paths in the file start here. */
  directory: string;
  /** Where `{ "$env": "NAME" }` looks; dynamic tenants get an empty one (SM-15). */
  environment: Readonly<Record<string, string | undefined>>;
}

/**
 * Parses one tenant configuration.
 * @param json what stood in the file, after JSON.parse
 * @returns the tenant, and paths of secrets that stand in it literally
 * @throws TenantError with every JSON path and reason
 */
export function parseTenant(
  json: unknown,
  origin: TenantOrigin,
): { tenant: Tenant; literalSecrets: string[] } {
  const { key, path, dynamic, directory, environment } = origin;
  const reading: Reading = { dynamic, environment, issues: [], literalSecrets: [] };
  const plain = prepare(json, [], reading);
  if (reading.issues.length > 0) throw new TenantError(reading.issues);
  const parsed = tenantFile.safeParse(plain);
  if (!parsed.success) {
    throw new TenantError(parsed.error.issues.flatMap((issue) => flatten(issue, [])));
  }
  const file = parsed.data;
  if (dynamic) refuseLocal(file);
  const images = (Array.isArray(file.images) ? file.images : [file.images]).map((source) =>
    source.type === 'folder' ? { ...source, path: resolve(directory, source.path) } : source,
  );
  const tenant: Tenant = {
    key,
    path,
    dynamic,
    authorization: withPresets(file.authorization),
    clinical: clinicalOf(file, directory),
    images,
    graphql: file.graphql,
    audit:
      file.audit.type === 'file' ? { ...file.audit, path: resolve(directory, file.audit.path) } : file.audit,
  };
  return { tenant, literalSecrets: reading.literalSecrets };
}

/** A dynamic tenant reaches nothing of this machine (SM-15): no folder, no store, no file to write. */
function refuseLocal(file: z.infer<typeof tenantFile>): void {
  const sources = Array.isArray(file.images) ? file.images : [file.images];
  const issues = [
    ...sources.flatMap((source, index) =>
      source.type === 'folder' ? [Array.isArray(file.images) ? `images[${index}].type` : 'images.type'] : [],
    ),
    ...(file.clinical?.type === 'store' ? ['clinical.type'] : []),
    ...(file.authorization.type === 'embedded' ? ['authorization.type'] : []),
    ...(file.audit.type === 'file' ? ['audit.type'] : []),
  ].map((path) => ({ path, reason: 'a dynamic tenant may not use anything local' }));
  if (issues.length > 0) throw new TenantError(issues);
}

function withPresets(config: AuthorizationConfig): AuthorizationConfig {
  return config.type === 'mock' && config.disabled !== undefined
    ? { ...config, disableAuthzChecks: config.disableAuthzChecks || config.disabled }
    : config;
}

function clinicalOf(file: z.infer<typeof tenantFile>, directory: string): ClinicalConfig {
  if (file.clinical?.type === 'store') {
    return { type: 'store', path: resolve(directory, file.clinical.path) };
  }
  if (file.clinical) return file.clinical;
  const { fhirBaseUrl } = file.authorization;
  return fhirBaseUrl ? { type: 'fhir', baseUrl: fhirBaseUrl } : { type: 'none' };
}

interface Reading {
  dynamic: boolean;
  environment: TenantOrigin['environment'];
  issues: { path: string; reason: string }[];
  literalSecrets: string[];
}

const SECRETS = new Set(['password', 'client_secret', 'token', 'jwkPrivate']);

/** Drops `//` comments and puts environment values in place of `{ "$env": NAME }`. */
function prepare(value: unknown, path: readonly (string | number)[], reading: Reading): unknown {
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

/** A union's failure says little by itself: its arms' reasons are what the reader needs. */
function flatten(issue: z.core.$ZodIssue, above: readonly PropertyKey[]): { path: string; reason: string }[] {
  const at = [...above, ...issue.path];
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const arms = issue.errors.map((arm) => arm.flatMap((inner) => flatten(inner, at)));
    return arms.sort((a, b) => b[0]!.path.length - a[0]!.path.length)[0]!;
  }
  return [{ path: jsonPath(at), reason: issue.message }];
}

function jsonPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, part) =>
      typeof part === 'number' ? `${text}[${part}]` : text ? `${text}.${String(part)}` : String(part),
    '',
  );
}

function isPatient(value: unknown): boolean {
  const patient = value as Partial<Patient> | null;
  return typeof patient === 'object' && patient?.resourceType === 'Patient' && typeof patient.id === 'string';
}

function withoutSlash(text: string): string {
  return text.replace(/\/+$/, '');
}
