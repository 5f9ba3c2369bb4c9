import type { PatientIdentity } from '../../../schema/access/access.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { medicalRecordNumbers } from './mrn-paths.ts';
import type { Sources } from './open.ts';

/** What a self-test may learn of a tenant's image sources (SM-18): whether they work, and nothing of what they hold. */
export function sourceChecks(sources: Sources) {
  return {
    /**
     * Tries one source.
     * @param index in the order of the tenant's file
     * @returns false where that kind of source cannot be tried
     * @throws Fault, or an error of the file system
     */
    async checkSource(tenant: Tenant, index: number, signal: AbortSignal): Promise<boolean> {
      const source = await sources.of(tenant)[index]!.open();
      await source.check?.(signal);
      return source.check !== undefined;
    },
    /** How many numbers the `mrn` paths of a source give for a patient. @throws Fault for one that cannot be evaluated */
    async countRecordNumbers(tenant: Tenant, index: number, identity: PatientIdentity): Promise<number> {
      const { config, mrnPaths } = sources.of(tenant)[index]!;
      return (await medicalRecordNumbers(identity, config.mrn, mrnPaths())).length;
    },
  };
}
