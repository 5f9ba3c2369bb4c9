import type { PatientIdentity } from '../../../schema/access/access.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { medicalRecordNumbers } from './mrn-paths.ts';
import type { Sources } from './open.ts';

/** Checks of a tenant's image sources for the self-test (SM-18): whether they work, without any of their content. */
export function sourceChecks(sources: Sources) {
  return {
    /**
     * Tries one source.
     * @param index in the order of the tenant's file
     * @returns false when that type of source cannot be tried
     * @throws Fault, or an error of the file system
     */
    async checkSource(tenant: Tenant, index: number, signal: AbortSignal): Promise<boolean> {
      const source = await sources.of(tenant)[index]!.open();
      await source.check?.(signal);
      return source.check !== undefined;
    },
    /** Counts the numbers that `mrn` of a source gives for a patient. @throws Fault when it cannot be evaluated */
    async countRecordNumbers(tenant: Tenant, index: number, identity: PatientIdentity): Promise<number> {
      const { config, mrnPaths } = sources.of(tenant)[index]!;
      return (await medicalRecordNumbers(identity, config.mrn, mrnPaths())).length;
    },
  };
}
