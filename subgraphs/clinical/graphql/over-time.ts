import type { Patient } from 'fhir/r4.js';
import type { GraphQLResolveInfo } from 'graphql';
import { noSuchResource } from '../../../schema/fault/refusals.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { faultsAsErrors, reportPartial } from '../../../schema/graphql/graphql-fault.ts';
import { RequestValues } from '../../../schema/process/request-values.ts';
import type { Clinical } from '../record/clinical.ts';
import { timelinePage, type Missing } from '../timeline/timeline.ts';
import { trendEvents } from '../trend/events.ts';
import { trendSeries } from '../trend/trend.ts';
import type { ClinicalContext, Fields, Resolver } from './field-resolver.ts';

interface TimelineArguments {
  types?: string[] | null;
  from?: string | null;
  to?: string | null;
  _count?: number | null;
  _cursor?: string | null;
}

interface TrendArguments {
  code?: string[] | null;
  group?: string | null;
  from?: string | null;
  to?: string | null;
  unit?: string | null;
}

/** The parent of `Trend.events`. */
interface TrendParent {
  patientId: string;
  from: string | undefined;
  to: string | undefined;
}

/** Returns the resolvers of timelines and trends (FG-17, FG-19). */
export function overTime(): Record<string, Fields> {
  return {
    Patient: {
      timeline: field(async (patient: Patient, args: TimelineArguments, request) => {
        requireFewPatients(request.context.clinical, idOf(patient));
        const page = await timelinePage(request.context.clinical, {
          patientId: idOf(patient),
          types: args.types ?? undefined,
          from: args.from ?? undefined,
          to: args.to ?? undefined,
          count: args._count ?? undefined,
          cursor: args._cursor ?? undefined,
        });
        report(page.missing, request);
        const missing = page.missing.map(({ type, fault: { code, message } }) => ({ type, code, message }));
        return { ...page, missing };
      }),
      trend: field(async (patient: Patient, args: TrendArguments, { context: { clinical } }) => {
        const bounds = { from: args.from ?? undefined, to: args.to ?? undefined };
        const patientId = idOf(patient);
        requireFewPatients(clinical, patientId);
        const asked = { code: args.code ?? undefined, group: args.group ?? undefined };
        const unit = args.unit ?? undefined;
        return {
          patientId,
          ...bounds,
          series: await trendSeries(clinical, { patientId, ...bounds, ...asked, unit }),
        };
      }),
    },
    Trend: {
      events: field(async ({ patientId, from, to }: TrendParent, _args: object, request) => {
        const { events, missing } = await trendEvents(request.context.clinical, { patientId, from, to });
        report(missing, request);
        return events;
      }),
    },
  };
}

/** The other arguments of a resolver. */
interface Request {
  context: ClinicalContext;
  info: GraphQLResolveInfo;
}

function field<Source, Args>(resolve: (source: Source, args: Args, request: Request) => unknown): Resolver {
  return faultsAsErrors<Source, ClinicalContext, Args>((...[source, args, context, info]) =>
    resolve(source, args, { context, info }),
  ) as Resolver;
}

function idOf({ id }: Patient): string {
  // A contained Patient may have no id. Then it has no record; it does not stand for all patients.
  if (id === undefined) throw noSuchResource();
  return id;
}

/** Patients whose timelines and trends one request may have: each is a search of every type. */
const MOST_PATIENTS = 10;
const patientsOf = new RequestValues<Clinical, Set<string>>();

/** @throws Fault `too_large` for a page of many patients with their timelines */
function requireFewPatients(clinical: Clinical, id: string): void {
  const patients = patientsOf.get(clinical) ?? new Set();
  patientsOf.set(clinical, patients.add(id));
  if (patients.size <= MOST_PATIENTS) return;
  throw new Fault('too_large', `Ask for the timelines and trends of at most ${MOST_PATIENTS} patients.`);
}

/** Adds an error for each type that is missing. */
function report(missing: readonly Missing[], { context, info }: Request): void {
  const faults = missing.map(({ type, fault }) => {
    const message = `Not all ${type} resources are in this answer: ${fault.message}`;
    const service = type === 'ImagingStudy' ? 'imaging' : 'clinical';
    return new Fault(fault.code, message, { service, ...fault.details });
  });
  reportPartial(context, info, faults);
}
