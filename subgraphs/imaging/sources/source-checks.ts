import type { PatientIdentity } from '../../../schema/access/access.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import type { ImagesConfig, Tenant } from '../../../schema/tenant/tenant.ts';
import { medicalRecordNumbers } from './mrn-paths.ts';
import type { Sources } from './open.ts';

/** The roots of DICOMweb in usual servers: Orthanc, others, dcm4chee. */
const USUAL_ROOTS = ['/dicom-web', '/dicomweb', '/dcm4chee-arc/aets/DCM4CHEE/rs'];

/** Checks of a tenant's image sources for the self-test (SM-18): whether they work, without any of their content. */
export function sourceChecks(sources: Sources) {
  async function check(tenant: Tenant, index: number, signal: AbortSignal): Promise<boolean> {
    const { source } = await sources.of(tenant)[index]!.open();
    await source.check?.(signal);
    return source.check !== undefined;
  }

  /** Returns the first usual root below or beside the endpoint that answers a search. */
  async function otherRoot(
    tenant: Tenant,
    config: Extract<ImagesConfig, { type: 'dicom-web' }>,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    for (const endpoint of likelyEndpoints(config.endpoint)) {
      const tried = { ...tenant, images: [{ ...config, endpoint }] };
      const answers = await check(tried, 0, signal).catch(() => false);
      sources.release(tried, [tenant]);
      if (answers) return endpoint;
    }
    return undefined;
  }

  return {
    /**
     * Tries one source.
     * @param index in the order of the tenant's file
     * @returns false when that type of source cannot be tried
     * @throws Fault, or an error of the file system
     */
    async checkSource(tenant: Tenant, index: number, signal: AbortSignal): Promise<boolean> {
      try {
        return await check(tenant, index, signal);
      } catch (error) {
        const config = tenant.images[index]!;
        if (config.type !== 'dicom-web' || !mayBeElsewhere(error)) throw error;
        const endpoint = await otherRoot(tenant, config, signal);
        if (endpoint === undefined) throw error;
        throw new Fault('bad_gateway', 'This is not the root of a DICOMweb server.', {
          service: 'imaging',
          cause: new Error(`${endpoint} is one: set images.endpoint to it`),
        });
      }
    },
    /** Returns since when requests to a source are refused because it does not answer, in milliseconds since the epoch. */
    awaySince: async (tenant: Tenant, index: number): Promise<number | undefined> =>
      sources.of(tenant)[index]!.breaker?.open?.since,
    /** Counts the numbers that `mrn` of a source gives for a patient. @throws Fault when it cannot be evaluated */
    async countRecordNumbers(tenant: Tenant, index: number, identity: PatientIdentity): Promise<number> {
      const { config, mrnPaths } = sources.of(tenant)[index]!;
      return (await medicalRecordNumbers(identity, config.mrn, mrnPaths())).length;
    },
  };
}

/** Tells whether a server answers that may have DICOMweb at another path. One that refuses our credentials is not asked again. */
function mayBeElsewhere(error: unknown): boolean {
  if (!(error instanceof Fault)) return false;
  const { code, cause } = error;
  const isRefused = cause instanceof Error && /answered 40[13]/.test(cause.message);
  return code === 'not_found' || (code === 'bad_gateway' && !isRefused);
}

/** Lists other addresses that may have been meant; all are at the same host, because the credentials are for it. */
function likelyEndpoints(endpoint: string): string[] {
  const { origin } = new URL(endpoint);
  const parents = [...new Set([endpoint, endpoint.replace(/\/(studies|app|ui)(\/.*)?$/, ''), origin])];
  const likely = [
    ...parents.slice(1, -1),
    ...parents.flatMap((parent) => USUAL_ROOTS.map((root) => parent + root)),
  ];
  return likely.filter((one) => one !== endpoint);
}
