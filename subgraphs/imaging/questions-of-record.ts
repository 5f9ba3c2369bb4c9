import type { Access } from '../../schema/access/access.ts';
import { Semaphore } from '../../schema/concurrency/semaphore.ts';
import type { StudyLinks } from '../../schema/fhir/study-match.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import type { Parameters as SearchParameters } from '../../schema/fhir/search/search-request.ts';
import { imagesOfPatient, patientStudies, patientsWith } from './fhir/of-patient.ts';
import type { GraphqlOptions } from './graphql/graphql-loaders.ts';
import { priorsOfReport } from './graphql/priors.ts';
import type { PriorsArguments } from './priors/comparison.ts';
import { measurementsOfStudy } from './study/measured-reports.ts';
import { studiesOfObjects } from './study/object-studies.ts';
import type { OpenImaging } from './study/authorized-studies.ts';

/** Studies whose structured reports one request reads at the same time. Other requests use the same threads. */
const STUDIES_AT_ONCE = 2;

/** Questions of the clinical record about images, within the caller's reach. */
export function questionsOfRecord({ open, options }: { open: OpenImaging; options: GraphqlOptions }) {
  return {
    /** Returns the images of a patient as FHIR resources; it records nothing (IA-30). */
    imagesOfPatient: (tenant: Tenant, access: Access, patientId: string) =>
      imagesOfPatient(open(tenant, access), patientId, options),
    /** Returns the studies that have some UIDs, by patient; it records nothing (IA-30). */
    studiesOfObjects: (tenant: Tenant, access: Access, wanted: ReadonlyMap<string, ReadonlySet<string>>) =>
      studiesOfObjects(open(tenant, access), wanted),
    /** Opens what is asked of single patients and studies for one request; it is recorded as any other retrieval. */
    studyImages(...request: Parameters<OpenImaging>) {
      const imaging = open(...request);
      const semaphore = new Semaphore(STUDIES_AT_ONCE);
      const [tenant, access, over] = request;
      let unrecorded: ReturnType<OpenImaging> | undefined;
      return {
        /** Returns what joins the studies of a patient with the record. */
        studiesOf: (patientId: string) => patientStudies(imaging, patientId, options),
        /** Returns the patients who have a study that a search finds; it records nothing (IA-30). */
        patientsWith: (params: SearchParameters, among?: readonly string[]) =>
          patientsWith((unrecorded ??= open(tenant, access, over)), { params, among }, options),
        async measurements(studyUid: string) {
          const done = await semaphore.acquire(over?.signal);
          return measurementsOfStudy(imaging, studyUid, options.threads).finally(done);
        },
        priors: (links: StudyLinks, args: PriorsArguments) =>
          priorsOfReport(imaging, links, { args, options }),
      };
    },
  };
}
