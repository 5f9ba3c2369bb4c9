import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { memoized } from '../cache/bounded-cache.ts';
import type { JoinRule } from '../fhir/accession-types.ts';
import type { TrustedManifest } from '../graphql/trusted-manifest.ts';
import { z } from 'zod';
import { OBJECT_ELEMENTS } from '../dicom/dicom.ts';
import { refusalOf, refusalOfSize } from '../expressions/judge.ts';
import { nearestName } from '../fhir/nearest-name.ts';
import { isPem, type TlsConfig } from '../outbound/tls.ts';
import { jsonPath, prepare, type Reading } from './tenant-environment.ts';
import {
  tenantFile,
  type audit,
  type authorization,
  type clinical,
  type images,
  type serviceAuthentication,
} from './tenant-file.ts';
import { keysOf, type SchemaNode, type TenantKey } from './tenant-keys.ts';

export type AuthorizationConfig = z.infer<typeof authorization>;
export type ClinicalConfig = z.infer<typeof clinical>;
export type ImagesConfig = z.infer<typeof images>;
export type AuditConfig = z.infer<typeof audit>;
export type ServiceAuthentication = z.infer<typeof serviceAuthentication>;

export interface GraphqlConfig {
  introspection: boolean;
  explain: boolean;
  /** The treatment of documents that are not trusted (FG-13). */
  trustedDocuments: 'off' | 'log' | 'enforce';
  /** Absolute path of the manifest of the operator's own apps. */
  trustedDocumentsFile: string | undefined;
  /** The documents in that file; undefined until it is read. */
  documents?: TrustedManifest;
}

/** Tables of the record and the images, and SQL over them. Paths of files are absolute. */
export type AnalysisConfig = z.infer<typeof tenantFile>['analysis'] & {
  /** Contents of the files of `views`, and of `questions`; empty until they are read. */
  definitions: readonly unknown[];
  statements: readonly string[];
};

/** The parsed configuration of one tenant. */
export interface Tenant {
  /** File name without `.json`, or a hash of a dynamic configuration. Safe to log. */
  key: string;
  /** Names the tenant and its configuration in caches: a changed file has another one, and so finds nothing of the old. */
  cacheKey: string;
  /** Hash of where its record is: the ids of patients in an `Access` mean something only there. */
  recordKey: string;
  /** Path in the URL: `open`, or `dyn/{encoded}`. A dynamic one is a secret (SM-14). */
  path: string;
  dynamic: boolean;
  authorization: AuthorizationConfig;
  clinical: ClinicalConfig;
  /** One or more sources; paths of folders are absolute. */
  images: readonly ImagesConfig[];
  graphql: GraphqlConfig;
  joins: JoinRule;
  limits: z.infer<typeof tenantFile>['limits'];
  /** The organization that answers for manifests of studies (IA-47). */
  organization?: z.infer<typeof tenantFile>['organization'];
  /** The Model Context Protocol, for assistants (SM-20). */
  mcp: { enabled: boolean };
  /** SMART Health Links (IA-36). */
  share: z.infer<typeof tenantFile>['share'];
  /** SQL on FHIR. */
  analysis: AnalysisConfig;
  audit: AuditConfig;
}

/** An invalid configuration: every reason with its JSON path. */
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
  /** Base of relative paths in the file. */
  directory: string;
  /** Variables for `{ "$env": "NAME" }`; empty for dynamic tenants (SM-15). */
  environment: Readonly<Record<string, string | undefined>>;
}

/**
 * Parses one tenant configuration.
 * @param json the file after JSON.parse
 * @returns the tenant, and the paths of secrets that are written literally in the file
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
    throw new TenantError(parsed.error.issues.flatMap((issue) => flatten(issue, [], plain)));
  }
  const file = parsed.data;
  if (dynamic) refuseLocal(file);
  refuseCostlyPaths(file, dynamic);
  const images = (Array.isArray(file.images) ? file.images : [file.images]).map((source) =>
    source.type === 'folder'
      ? { ...source, path: resolve(directory, source.path) }
      : { ...source, tls: tlsOf(source.tls, directory) },
  );
  const authorization = { ...withPresets(file.authorization), tls: tlsOf(file.authorization.tls, directory) };
  const tenant: Tenant = {
    key,
    cacheKey: `${key}@${hashOf(json)}`,
    recordKey: recordKeyOf(file),
    path,
    dynamic,
    authorization,
    clinical: clinicalOf(file.clinical, authorization, directory),
    images,
    graphql: graphqlOf(file, directory),
    joins: file.joins,
    limits: file.limits,
    organization: file.organization,
    mcp: file.mcp,
    share: file.share,
    analysis: analysisOf(file, directory),
    audit:
      file.audit.type === 'file' ? { ...file.audit, path: resolve(directory, file.audit.path) } : file.audit,
  };
  refuseBulk(tenant);
  // A path would name a file of this machine, and a private key does not belong in a URL.
  const refused = dynamic ? tlsParts(tenant) : [];
  if (refused.length > 0)
    throw new TenantError(refused.map(({ path }) => ({ path, reason: 'a dynamic tenant may not have it' })));
  return { tenant, literalSecrets: reading.literalSecrets };
}

const hashOf = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('base64url').slice(0, 22);

/** Paths are taken as the file has them: the processes of one tenant may have it in different folders. */
function recordKeyOf({ authorization, clinical }: z.infer<typeof tenantFile>): string {
  const record = clinical?.type === 'fhir' ? clinical.baseUrl : clinical;
  const patient = authorization.type === 'mock' && authorization.patient;
  return hashOf([authorization.fhirBaseUrl, patient, record]);
}

/** Lists the `tls` of a tenant's parts with their JSON paths. */
export function tlsParts({ authorization, clinical, images }: Tenant): { path: string; tls: TlsConfig }[] {
  const ofRecord = clinical.type === 'fhir' && clinical.tls !== authorization.tls ? clinical.tls : undefined;
  const parts: [string, TlsConfig | undefined][] = [
    ['authorization.tls', authorization.tls],
    ['clinical.tls', ofRecord],
    ...images.map((source, index): [string, TlsConfig | undefined] => [
      images.length > 1 ? `images[${index}].tls` : 'images.tls',
      source.type === 'folder' ? undefined : source.tls,
    ]),
  ];
  return parts.flatMap(([path, tls]) => (tls ? [{ path, tls }] : []));
}

/** Refuses a dynamic tenant that uses anything on this machine (SM-15): a folder, a store, a file to write. */
function refuseLocal(file: z.infer<typeof tenantFile>): void {
  const sources = Array.isArray(file.images) ? file.images : [file.images];
  const issues = [
    ...sources.flatMap((source, index) =>
      source.type === 'folder' ? [Array.isArray(file.images) ? `images[${index}].type` : 'images.type'] : [],
    ),
    ...(file.clinical?.type === 'store' ? ['clinical.type'] : []),
    ...(file.authorization.type === 'embedded' ? ['authorization.type'] : []),
    ...(file.audit.type === 'file' ? ['audit.type'] : []),
    ...(file.share.enabled ? ['share.enabled'] : []),
    ...(file.analysis.enabled ? ['analysis.enabled'] : []),
    ...(file.audit.keep > 0 ? ['audit.keep'] : []),
    ...(file.graphql.trustedDocumentsFile === undefined ? [] : ['graphql.trustedDocumentsFile']),
  ].map((path) => ({ path, reason: 'a dynamic tenant may not use anything local' }));
  if (file.limits.objectElements > OBJECT_ELEMENTS)
    issues.push({ path: 'limits.objectElements', reason: 'a dynamic tenant may not raise it' });
  if (issues.length > 0) throw new TenantError(issues);
}

/** Refuses an export without an EHR, or without a client that it knows. */
function refuseBulk({ analysis, authorization, clinical }: Tenant): void {
  if (analysis.source !== 'bulk') return;
  if (clinical.type !== 'fhir' || authorization.type === 'mock' || authorization.type === 'embedded') {
    const reason = 'bulk needs a record and tokens of an EHR';
    throw new TenantError([{ path: 'analysis.source', reason }]);
  }
  if (authorization.client?.jwkPrivate ?? authorization.client?.client_secret) return;
  const reason = 'bulk needs a client with jwkPrivate or client_secret in authorization';
  throw new TenantError([{ path: 'analysis.source', reason }]);
}

/** Judges the paths in `mrn` (FG-23). For a dynamic tenant only their size: a worker parses and judges them later. */
function refuseCostlyPaths(file: z.infer<typeof tenantFile>, dynamic: boolean): void {
  const sources = Array.isArray(file.images) ? file.images : [file.images];
  const issues = sources.flatMap(({ mrn }, index) =>
    mrn.flatMap((expression, position) => {
      const refusal = dynamic
        ? refusalOfSize(expression, 'dynamicTenant')
        : refusalOf(expression, 'tenantFile');
      const source = Array.isArray(file.images) ? `images[${index}]` : 'images';
      return refusal === undefined
        ? []
        : [{ path: `${source}.mrn[${position}]`, reason: `the path ${refusal}` }];
    }),
  );
  if (issues.length > 0) throw new TenantError(issues);
}

function withPresets(config: AuthorizationConfig): AuthorizationConfig {
  return config.type === 'mock' && config.disabled !== undefined
    ? { ...config, disableAuthzChecks: config.disableAuthzChecks || config.disabled }
    : config;
}

function graphqlOf({ graphql }: z.infer<typeof tenantFile>, directory: string): GraphqlConfig {
  const { introspection, explain, trustedDocuments, trustedDocumentsFile: path } = graphql;
  return {
    introspection,
    explain,
    trustedDocuments: graphql.trustedDocumentsOnly ? 'enforce' : trustedDocuments,
    trustedDocumentsFile: path === undefined ? undefined : resolve(directory, path),
  };
}

function analysisOf({ analysis }: z.infer<typeof tenantFile>, directory: string): AnalysisConfig {
  const absolute = (paths: readonly string[]) => paths.map((path) => resolve(directory, path));
  const { views, questions } = analysis;
  const files = { views: absolute(views), questions: absolute(questions) };
  return { ...analysis, ...files, definitions: [], statements: [] };
}

/** A record without `tls` has that of `authorization`, if both are at one origin (RFC 6454 §4). */
function clinicalOf(
  clinical: ClinicalConfig | undefined,
  { fhirBaseUrl, tls }: AuthorizationConfig,
  directory: string,
): ClinicalConfig {
  if (clinical?.type === 'store') return { type: 'store', path: resolve(directory, clinical.path) };
  if (clinical?.type === 'none' || !(clinical ?? fhirBaseUrl)) return { type: 'none' };
  const baseUrl = clinical?.baseUrl ?? fhirBaseUrl!;
  const isSame = fhirBaseUrl !== undefined && new URL(baseUrl).origin === new URL(fhirBaseUrl).origin;
  return { type: 'fhir', baseUrl, tls: tlsOf(clinical?.tls, directory) ?? (isSame ? tls : undefined) };
}

/** Makes the paths of files absolute. */
function tlsOf(tls: TlsConfig | undefined, directory: string): TlsConfig | undefined {
  const absolute = (value?: string) =>
    value === undefined || isPem(value) ? value : resolve(directory, value);
  return tls && { ca: absolute(tls.ca), certificate: absolute(tls.certificate), key: absolute(tls.key) };
}

/**
 * Returns the reasons of an issue. A failed union gives the reasons of the alternative that matched the furthest.
 * @param file the whole file
 */
function flatten(
  issue: z.core.$ZodIssue,
  above: readonly PropertyKey[],
  file: unknown,
): { path: string; reason: string }[] {
  const at = [...above, ...issue.path];
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const arms = issue.errors.map((arm) => arm.flatMap((inner) => flatten(inner, at, file)));
    return arms.sort((a, b) => b[0]!.path.length - a[0]!.path.length)[0]!;
  }
  const path = jsonPath(at);
  const value = at.reduce<unknown>((object, name) => (object as Record<PropertyKey, unknown>)[name], file);
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(at, (value as { type?: unknown }).type);
    return issue.keys.map((key) => {
      const reason = `Unrecognized key: "${key}". The nearest is "${nearestName(key, known)}".`;
      return { path, reason };
    });
  }
  if (value !== undefined) return [{ path, reason: issue.message }];
  const must = issue.message.startsWith('Invalid input') ? '' : `; ${issue.message}`;
  return [{ path, reason: `is missing${must}` }];
}

/** Every key of a tenant file. It takes milliseconds to list them: too long for each wrong configuration in a URL. */
const allKeys = memoized<TenantKey[], 'all'>(
  () => [...keysOf(z.toJSONSchema(tenantFile, { io: 'input', unrepresentable: 'any' }) as SchemaNode)],
  { entries: 1 },
);

/** Lists the keys that an object of a tenant file may have. @param type the value of its `type`, if it has one */
function knownKeys(at: readonly PropertyKey[], type: unknown): string[] {
  const above = at
    .filter((part) => typeof part === 'string')
    .map((part) => `${part}.`)
    .join('');
  return allKeys('all')
    .filter((key) => key.path === above + key.name && (!key.type || key.type === type))
    .map(({ name }) => name);
}
