import type { DiagnosticReport } from 'fhir/r4.js';
import type { Fault } from '../../../schema/fault/fault.ts';
import type { Args } from '../../../schema/fhir/search/search-arguments.ts';
import { failedIn, faultsAsErrors, reportPartial } from '../../../schema/graphql/graphql-fault.ts';
import { measurementsOf } from '../joins/measurements.ts';
import { priorReports, type PriorReportsArguments } from '../joins/prior-reports.ts';
import type { Clinical } from '../record/clinical.ts';
import { requireListable } from '../record/limits.ts';
import type { ClinicalContext, Fields, Resolver } from './resolver.ts';
import { searchOf } from './search-arguments.ts';

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
      priors: partialList(async (report: DiagnosticReport, args: PriorReportsArguments, clinical) => {
        const { reports, failed } = await priorReports(clinical, report, args);
        return { list: reports, failed };
      }),
    },
  };
}
