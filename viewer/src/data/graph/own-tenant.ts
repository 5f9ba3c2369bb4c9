import { loadedOnce } from '../../domain/loaded-once.ts';
import { findPatients } from '../rest/patients.ts';
import type { RecordSource } from '../source.ts';
import type { Transport } from '../transport.ts';

/**
 * Returns the records of a tenant of our gateway: by GraphQL, whose client is loaded with the first record; lists of patients
 * by REST.
 * @param tenant `{gateway}/{tenant}`, without a slash at the end
 */
export function ownTenant(tenant: string, transport: Transport): RecordSource {
  const graph = loadedOnce(() =>
    import('./graph-source.ts').then(({ GraphRecords }) => new GraphRecords(tenant, transport)),
  );
  return {
    patients: (asked, signal) => findPatients({ base: `${tenant}/fhir`, transport, signal }, asked),
    record: async (...asked) => (await graph()).record(...asked),
    trend: async (...asked) => (await graph()).trend(...asked),
    priors: async (...asked) => (await graph()).priors(...asked),
  };
}
