import { readFileSync } from 'node:fs';
import { Writable } from 'node:stream';
import { parseTenant, type Tenant } from '../../schema/tenant/tenant.ts';
import { buildApp, type AppDeps } from '../app.ts';
import type { Limits } from '../federation/document/limits.ts';
import { logger } from '../http/logger.ts';
import { authorizer } from '../smart/authorize.ts';
import { capabilities, capabilitySealer } from '../smart/capability/capability-admission.ts';
import { unknownTenant } from '../tenants/loading/dynamic-tenants.ts';
import type { Tenants } from '../tenants/loading/settings.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { standInClinical, standInImaging, type Breakage } from './stand-in-subgraphs.ts';

export interface GatewayAlone {
  url: string;
  ehr: AuthorizationServer;
  /** Returns every line that was logged. */
  logged(): string;
  /** Tenants that were reported as insecure, with the reason. */
  insecure: [tenant: string, reason: string][];
  close(): Promise<void>;
}

const IMAGES = { type: 'dicom-web', lookup: 'all-studies-on-server', endpoint: 'http://127.0.0.1:1' };
/** Secret that seals capabilities. */
export const SEALING_SECRET = 'a secret of the lone gateway, long enough';
const sdl = (name: string) => readFileSync(new URL(`../../schema/${name}.graphql`, import.meta.url));

/**
 * Starts the gateway without its subgraphs: those are stand-ins, the authorization server is real; each has its own
 * port. Tenants: `open` and `introspectable` (mock), `smart`, `rejecting` and `backend` (that server), `independent`
 * (its authorization server is not part of this gateway); and `more`.
 */
export async function startGatewayAlone(
  options: {
    broken?: Breakage;
    limits?: Limits;
    /** The setting `images.retrieve` of the standard tenants. */
    retrieve?: string;
    more?: Record<string, unknown>;
    /** The setting `limits` of the tenant `smart`. */
    ofTenant?: object;
    app?: Pick<AppDeps, 'load' | 'redis' | 'metrics' | 'audit' | 'supergraphFile' | 'timeouts'>;
  } = {},
): Promise<GatewayAlone> {
  const images = { ...IMAGES, ...(options.retrieve && { retrieve: options.retrieve }) };
  const ehr = await authorizationServer();
  const smart = { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client };
  const mock = { type: 'mock', disableAuthzChecks: true };
  const tenants = tenantsOf({
    open: { authorization: mock, images },
    introspectable: { authorization: mock, images, graphql: { introspection: true } },
    smart: { authorization: smart, images, ...(options.ofTenant && { limits: options.ofTenant }) },
    rejecting: { authorization: { ...smart, refusedFields: 'reject' }, images },
    backend: {
      authorization: {
        ...smart,
        modes: ['backend-services'],
        policy: [{ client_id: 'b', patients: ['p1'] }],
      },
      images,
    },
    independent: { authorization: { ...smart, type: 'smart-on-fhir-independent' }, images },
    ...options.more,
  });
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const launched = { client_id: 'app', patient: 'p1', exp };
  ehr.tokens.set('everything', { ...launched, scope: 'patient/*.rs' });
  ehr.tokens.set('imaging-only', { ...launched, scope: 'patient/ImagingStudy.rs' });

  const lines: string[] = [];
  const insecure: [string, string][] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  });
  const baseUrl = 'http://localhost';
  const tenantAuthorizer = authorizer({
    dispatcher: () => undefined,
    now: Date.now,
    baseUrl,
    onInsecure: (tenant, reason) => insecure.push([tenant, reason]),
  });
  const app = await buildApp({
    baseUrl,
    tenants,
    authorizer: tenantAuthorizer,
    capabilities: capabilities(
      capabilitySealer({ secrets: [SEALING_SECRET], now: Date.now }),
      tenantAuthorizer,
      Date.now,
    ),
    clinical: standInClinical(options.broken),
    imaging: standInImaging(options.broken),
    recordHolds: async () => true,
    supergraphSdl: sdl('supergraph'),
    apiSdl: sdl('api'),
    pagesDirectory: '/nowhere',
    log: logger('debug', sink),
    ...(options.limits && { limits: options.limits }),
    ...options.app,
  });
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  return {
    url,
    ehr,
    insecure,
    logged: () => lines.join(''),
    close: async () => {
      await app.close();
      await ehr.close();
    },
  };
}

/** Parses tenants from literal configurations. */
export function tenantsOf(files: Record<string, unknown>): Tenants {
  const all = new Map<string, Tenant>();
  for (const [key, json] of Object.entries(files)) {
    const origin = { key, path: key, dynamic: false, directory: '/', environment: {} };
    all.set(key, parseTenant(json, origin).tenant);
  }
  const missing = () => unknownTenant(all.has('demo'));
  return {
    all: [...all.values()],
    skipped: [],
    warnings: [],
    byKey: (key) => {
      const tenant = all.get(key);
      if (!tenant) throw missing();
      return tenant;
    },
    dynamic: () => {
      throw missing();
    },
  };
}
