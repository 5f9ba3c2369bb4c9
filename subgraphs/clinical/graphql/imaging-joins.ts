import type { DiagnosticReport, Resource, ServiceRequest } from 'fhir/r4.js';
import type { Args } from '../../../schema/fhir/search/search-arguments.ts';
import type { Clinical } from '../record/clinical.ts';
import type { StudyKeys } from '../joins/imaging-links.ts';
import {
  isOrderOf,
  isReportOf,
  orderAccessionNumbers,
  orderStudyUids,
  patientIdOf,
  reportAccessionNumbers,
  reportStudyUids,
} from '../joins/imaging-links.ts';
import { pageSize } from '../record/limits.ts';
import { resolver, type Fields } from './resolver.ts';
import { searchOf } from './search-arguments.ts';

/** Returns the resolvers that join reports, orders and studies, for the clinical subgraph (FG-9). */
export function imagingJoins(): Record<string, Fields> {
  return {
    DiagnosticReport: {
      _patientId: resolver((report: DiagnosticReport, _, clinical) => patientIdOf(clinical, report)),
      _accessionNumbers: resolver((report: DiagnosticReport, _, clinical) =>
        reportAccessionNumbers(clinical, report),
      ),
      _studyUids: resolver((report: DiagnosticReport, _, clinical) => reportStudyUids(clinical, report)),
    },
    ServiceRequest: {
      _patientId: resolver((order: ServiceRequest, _, clinical) => patientIdOf(clinical, order)),
      _accessionNumbers: resolver((order: ServiceRequest, _, clinical) =>
        orderAccessionNumbers(clinical, order),
      ),
      _studyUids: resolver((order: ServiceRequest, _, clinical) => orderStudyUids(clinical, order)),
    },
    ImagingStudy: {
      DiagnosticReportList: resolver((study: StudyKeys, args, clinical) =>
        ofStudy<DiagnosticReport>(clinical, 'DiagnosticReport', study, args, isReportOf),
      ),
      ServiceRequestList: resolver((study: StudyKeys, args, clinical) =>
        ofStudy<ServiceRequest>(clinical, 'ServiceRequest', study, args, isOrderOf),
      ),
    },
  };
}

/** Returns the resources of a study. R4 cannot search them by study: those of the patient are fetched once and matched. */
async function ofStudy<T extends Resource>(
  clinical: Clinical,
  type: string,
  study: StudyKeys,
  args: Args,
  belongs: (clinical: Clinical, resource: T, study: StudyKeys) => Promise<boolean>,
): Promise<T[]> {
  if (!study._patientId) return [];
  const { count, offset = 0, ...search } = searchOf(type, args);
  const relation = { type, code: 'patient', target: 'Patient', id: study._patientId };
  const all = (await clinical.related(relation, search)) as T[];
  const matches = await Promise.all(all.map((resource) => belongs(clinical, resource, study)));
  const found = all.filter((_, index) => matches[index]);
  return found.slice(offset, count === undefined ? undefined : offset + pageSize(count));
}
