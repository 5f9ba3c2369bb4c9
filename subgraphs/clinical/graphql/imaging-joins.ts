import type { DiagnosticReport, Resource } from 'fhir/r4.js';
import type { Fault } from '../../../schema/fault/fault.ts';
import { joinedTypes, type JoinedType } from '../../../schema/fhir/joined-types.ts';
import type { StudyKeys } from '../../../schema/fhir/study-match.ts';
import type { Args } from '../../../schema/fhir/search/search-arguments.ts';
import { failedIn, faultsAsErrors, reportPartial } from '../../../schema/graphql/graphql-fault.ts';
import { measurementsOf } from '../joins/measurements.ts';
import { ofStudy } from '../joins/of-study.ts';
import { priorReports, type PriorReportsArguments } from '../joins/prior-reports.ts';
import { linksOf } from '../joins/study-links.ts';
import type { Clinical } from '../record/clinical.ts';
import { requireListable } from '../record/limits.ts';
import { resolver, type ClinicalContext, type Fields, type Resolver } from './field-resolver.ts';
import { searchOf } from './search-arguments.ts';

const LINKS = ['_patientId', '_accessionNumbers', '_studyUids'] as const;

/** Returns the resolvers that join the record with studies, for the clinical subgraph (FG-9). */
export function imagingJoins(): Record<string, Fields> {
  const links = Object.fromEntries(LINKS.map((name) => [name, linkResolver(name)]));
  return {
    ...Object.fromEntries(joinedTypes.map((type) => [type, links])),
    ImagingStudy: Object.fromEntries(joinedTypes.map((type) => [`${type}List`, listOf(type)])),
  };
}

function linkResolver(name: (typeof LINKS)[number]) {
  return resolver(async (resource: Resource, _, clinical) => (await linksOf(clinical, resource))[name]);
}

function listOf(type: JoinedType) {
  return resolver(async (study: StudyKeys, args, clinical) => {
    const { count, offset = 0, ...search } = searchOf(type, args);
    const found = await ofStudy(clinical, study, { type, search });
    return found.slice(offset, count === undefined ? undefined : offset + count);
  });
}

/** A list, and the faults of what is missing in it. */
interface PartialList {
  list: readonly unknown[];
  failed: readonly Fault[];
}

/** Makes a resolver of a list of which a part may be missing; without any part it is the error. */
function partialList<Source, A>(
  resolve: (source: Source, args: A, clinical: Clinical) => Promise<PartialList>,
): Resolver {
  return faultsAsErrors<Source, ClinicalContext, A>(async (...[source, args, context, info]) => {
    const { list, failed } = await resolve(source, args, context.clinical);
    reportPartial(context, info, failedIn(list, failed));
    return list;
  }) as Resolver;
}

/** Returns the fields that the record makes of single studies: measurements, and reports of earlier studies (FG-18). */
export function studyFields(): Record<string, Fields> {
  return {
    ImagingStudy: {
      measurements: partialList(async ({ id }: { id: string }, args: Args, clinical) => {
        const { count, offset = 0 } = searchOf('Observation', args);
        const { observations, failed } = await measurementsOf(clinical, id);
        const end = count === undefined ? undefined : offset + count;
        const list = observations.slice(offset, end);
        requireListable('Observation', list.length);
        return { list, failed };
      }),
    },
    DiagnosticReport: {
      priors: partialList((report: DiagnosticReport, args: PriorReportsArguments, clinical) =>
        priorReports(clinical, report, args),
      ),
    },
  };
}
