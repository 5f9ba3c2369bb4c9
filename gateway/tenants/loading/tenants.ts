import { hash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { trustedManifest, type TrustedManifest } from '../../../schema/graphql/trusted-manifest.ts';
import { jsonPath } from '../../../schema/tenant/tenant-environment.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { parseTenant, TenantError, tlsParts } from '../../../schema/tenant/tenant.ts';
import { readTls, TlsError } from '../../../schema/outbound/tls.ts';
import { SettingsError } from '../../settings.ts';
import { cannotShare, LONGEST_MANIFEST, manifestLength } from '../../share/shareable.ts';
import { parseJson } from '../../../schema/process/json-mistake.ts';
import { clientKeyMistake } from './client-key.ts';
import { dynamicTenants, unknownTenant } from './dynamic-tenants.ts';
import { mockRefusal } from './mock-refusal.ts';
import type { Tenants, TenantSettings } from './settings.ts';

/** First segments of paths that cannot be keys of tenants. */
const RESERVED = new Set(
  'app docs dyn errors health metrics schema.graphql share shared shl .well-known'.split(' '),
);
const KEY = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
const KEY_RULE =
  'its name must begin with a letter or digit and have only letters, digits, "_", "." and "-", 64 at most';

/** A tenant file that was read. */
interface ReadFile {
  tenant: Tenant;
  /** Why the tenant is left out, if it is. */
  skipped: string | undefined;
  /** Messages about secrets in it. */
  warnings: readonly string[];
}

/**
 * Reads every tenant file; contacts no upstream.
 * @throws SettingsError that names all errors of all files
 */
export function readTenants(settings: TenantSettings): Tenants {
  const tenants = new Map<string, Tenant>();
  const wrong: string[] = [];
  const skipped: { key: string; reason: string }[] = [];
  const warnings: string[] = [];
  for (const name of tenantFiles(settings.directory)) {
    const read = readTenantFile(settings, name);
    if ('wrong' in read) {
      wrong.push(...read.wrong.map((reason) => `${name}: ${reason}`));
      continue;
    }
    const { tenant, skipped: reason } = read;
    warnings.push(...read.warnings);
    if (reason) skipped.push({ key: tenant.key, reason });
    else tenants.set(tenant.key, tenant);
  }
  if (wrong.length > 0)
    throw new SettingsError(`Wrong tenant files in ${settings.directory}:\n${wrong.join('\n')}`);
  return {
    all: [...tenants.values()],
    skipped,
    warnings,
    byKey(key) {
      const tenant = tenants.get(key);
      if (!tenant) throw unknownTenant(tenants.has('demo'));
      return tenant;
    },
    dynamic: dynamicTenants(settings),
  };
}

/** Reads one tenant file. @returns the tenant, or all errors, each with its JSON path and reason */
export function readTenantFile(
  settings: TenantSettings,
  name: string,
): ReadFile | { wrong: readonly string[] } {
  try {
    const { tenant, literalSecrets } = readTenant(settings, name, name.slice(0, -'.json'.length));
    const unshared = tenant.share.enabled ? cannotShare(tenant) : undefined;
    const warnings = [
      ...literalSecrets.map((path) => `${name}: ${path} holds a secret; use { "$env": … } instead.`),
      ...(tenant.analysis.enabled && tenant.clinical.type === 'fhir' && tenant.analysis.source !== 'bulk'
        ? [
            `${name}: analysis.enabled has no effect. Its record is another FHIR server; tables need one that is kept here, or its export (analysis.source).`,
          ]
        : []),
      ...(unshared === undefined ? [] : [`${name}: share.enabled has no effect. ${unshared}`]),
    ];
    return { tenant, warnings, skipped: mockRefusal(tenant, settings) };
  } catch (error) {
    if (!(error instanceof TenantError)) throw error;
    return { wrong: error.issues.map(({ path, reason }) => `${path || '(root)'}: ${reason}`) };
  }
}

/** Tells tenant files from the rest of their folder. Kubernetes has names there that begin with a dot. */
export const isTenantFile = (name: string): boolean => name.endsWith('.json') && !name.startsWith('.');

/** Returns the names of the tenant files, sorted. @throws SettingsError when the folder cannot be read */
export function tenantFiles(directory: string): string[] {
  try {
    return readdirSync(directory).filter(isTenantFile).sort();
  } catch {
    throw new SettingsError(`The tenant files cannot be read: TENANTS_DIR is ${directory}.`);
  }
}

function readTenant(settings: TenantSettings, name: string, key: string) {
  if (RESERVED.has(key))
    throw wrongFile(`cannot be a tenant: /${key} is a path of the gateway itself; choose another name`);
  if (!KEY.test(key)) throw wrongFile(`cannot be a tenant: ${KEY_RULE}`);
  const { directory, environment } = settings;
  const json = readJson(join(directory, name), wrongFile);
  const { tenant, literalSecrets } = parseTenant(json, {
    key,
    path: key,
    dynamic: false,
    directory,
    environment,
  });
  const { trustedDocumentsFile: file } = tenant.graphql;
  if (file !== undefined) tenant.graphql.documents = readDocuments(file);
  if (tenant.analysis.enabled) readAnalysis(tenant);
  const issues = [
    ...keyMistakes(tenant),
    ...addressMistakes(tenant, settings),
    ...(settings.analysisMistakes?.(tenant.analysis) ?? []),
  ];
  if (issues.length > 0) throw new TenantError(issues);
  return { tenant, literalSecrets };
}

/** Tries the keys and certificates of a tenant. */
function keyMistakes(tenant: Tenant): { path: string; reason: string }[] {
  const { authorization } = tenant;
  const jwk = 'client' in authorization ? authorization.client?.jwkPrivate : undefined;
  const mistake = jwk && clientKeyMistake(jwk);
  const ofTls = tlsParts(tenant).flatMap(({ path, tls }) => {
    try {
      readTls(tls);
      return [];
    } catch (error) {
      if (!(error instanceof TlsError)) throw error;
      return [{ path: `${path}.${error.part}`, reason: error.message }];
    }
  });
  return [...(mistake ? [{ path: 'authorization.client.jwkPrivate', reason: mistake }] : []), ...ofTls];
}

/** Refuses links whose address would be longer than receivers take: nobody could open them. */
function addressMistakes({ share, key }: Tenant, { baseUrl }: TenantSettings) {
  const length = share.enabled && baseUrl !== undefined ? manifestLength(baseUrl, key) : 0;
  if (length <= LONGEST_MANIFEST) return [];
  const reason = `the address of a link would have ${length} characters, and may have ${LONGEST_MANIFEST}: use a shorter BASE_URL or name of the tenant`;
  return [{ path: 'share.enabled', reason }];
}

/** Reads the trusted documents of an operator (FG-13). @throws TenantError that names the wrong part */
function readDocuments(file: string): TrustedManifest {
  const wrong = (reason: string) => new TenantError([{ path: 'graphql.trustedDocumentsFile', reason }]);
  const { data, error } = trustedManifest.safeParse(readJson(file, (reason) => wrong(`the file ${reason}`)));
  if (data) return data;
  const { path, message } = error!.issues[0]!;
  const place = jsonPath(path) || '(root)';
  throw wrong(`the file is no manifest of trusted documents: ${place}: ${message}`);
}

/** Reads the tables and questions of a tenant. @throws TenantError that names a file which cannot be read */
function readAnalysis(tenant: Tenant): void {
  const { analysis } = tenant;
  const wrong = (path: string) => (reason: string) =>
    new TenantError([{ path: `analysis.${path}`, reason: `the file ${reason}` }]);
  const { views, questions } = analysis;
  analysis.definitions = views.map((file, index) => readJson(file, wrong(`views[${index}]`)));
  analysis.statements = questions.map((file, index) => readText(file, wrong(`questions[${index}]`)));
  // Other views make other tables.
  if (views.length > 0)
    tenant.cacheKey += `.${hash('sha256', JSON.stringify(analysis.definitions), 'base64url').slice(0, 22)}`;
}

const readJson = (file: string, wrong: (reason: string) => TenantError): unknown =>
  parseJson(readText(file, wrong), wrong);

function readText(file: string, wrong: (reason: string) => TenantError): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw wrong(`cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

const wrongFile = (reason: string) => new TenantError([{ path: '', reason }]);
