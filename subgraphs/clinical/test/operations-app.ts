import type { FastifyInstance } from 'fastify';
import type { Endpoint, ImagingStudy } from 'fhir/r4.js';
import type { Access } from '../../../schema/access/access.ts';
import { requireScope } from '../../../schema/access/scopes.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import type { Operation } from '../../../schema/access/audit.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { ClinicalSubgraph } from '../app.ts';
import type { PatientImages } from '../record/study-images.ts';
import { fhirApp } from './servers.ts';

/** Images for tests: one study of each patient that is named here. */
export class TestImages {
  studies: Record<string, { id: string; started?: string; lastUpdated?: string }[]> = {
    ana: [{ id: '1.2.840.1', started: '2021-01-01' }],
    bob: [{ id: '1.2.840.9' }],
  };
  failed: Fault[] = [];
  /** The images come when this is fulfilled. */
  wait: Promise<void> = Promise.resolve();

  readonly ofPatient: PatientImages = async (_tenant, access, patientId) => {
    await this.wait;
    requireScope(access, 'ImagingStudy', 's');
    if (access.patients !== 'all' && !access.patients.some(({ id }) => id === patientId)) {
      throw new Fault('forbidden', 'another patient');
    }
    const studies = (this.studies[patientId] ?? []).map(({ id, started, lastUpdated }): ImagingStudy => ({
      resourceType: 'ImagingStudy',
      id,
      status: 'available',
      subject: { reference: `Patient/${patientId}` },
      endpoint: [{ reference: 'Endpoint/dicomweb' }],
      ...(started && { started }),
      ...(lastUpdated && { meta: { lastUpdated } }),
    }));
    const endpoint = { resourceType: 'Endpoint', id: 'dicomweb' } as Endpoint;
    return { studies, ...(studies.length > 0 && { endpoint }), failed: this.failed };
  };
}

/** Returns an app with FHIR REST, operations and batches, where all requests have the same Access. */
export function operationsApp(
  subgraph: ClinicalSubgraph,
  tenant: Tenant,
  access: () => Access,
  images = new TestImages(),
): { app: FastifyInstance; audited: Operation[] } {
  const audited: Operation[] = [];
  const app = fhirApp(subgraph, tenant, access);
  app.decorateRequest('audit', null as never);
  app.addHook('onRequest', async (request) => {
    request.audit = (operation) => void audited.push(operation);
  });
  app.register(subgraph.operations(images.ofPatient), { prefix: '/:tenant' });
  return { app, audited };
}
