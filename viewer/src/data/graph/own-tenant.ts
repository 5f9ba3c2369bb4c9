import { loadedOnce } from '../../domain/loaded-once.ts';
import { findPatients } from '../rest/patients.ts';
import { patientOfStudy } from '../rest/study-patient.ts';
import type { RecordSource } from '../source.ts';
import type { Transport } from '../transport.ts';

/**
 * Returns the records of a tenant of our gateway: by GraphQL, whose client is loaded with the first record; lists of patients
 * and whose a study is by REST.
 * @param tenant `{gateway}/{tenant}`, without a slash at the end
 */
export function ownTenant(tenant: string, transport: Transport): RecordSource {
  const graph = loadedOnce(() =>
    import('./graph-source.ts').then(({ GraphRecords }) => new GraphRecords(tenant, transport)),
  );
  const base = `${tenant}/fhir`;
  return {
    patients: (asked, signal) => findPatients({ base, transport, signal }, asked),
    patientOf: (study, signal) => patientOfStudy({ base, transport, signal }, study),
    record: async (...asked) => (await graph()).record(...asked),
    trend: async (...asked) => (await graph()).trend(...asked),
    priors: async (...asked) => (await graph()).priors(...asked),
    accesses: async (asked, signal) =>
      (await import('../rest/accesses.ts')).accessesOf({ base, transport, signal }, asked),
    sharing: loadedOnce(() =>
      import('../share/share-links.ts').then(({ ShareLinks }) => new ShareLinks(tenant, transport)),
    ),
  };
}
