import type { DiagnosticReport, Reference, Resource, ServiceRequest } from 'fhir/r4.js';
import type { DocumentNode, GraphQLFieldResolver } from 'graphql';
import type { UnionMember } from '../../schema/datatype-resolvers.ts';
import { datatypeResolvers, unresolved } from '../../schema/datatype-resolvers.ts';
import { Fault } from '../../schema/fault.ts';
import { faultsAsErrors } from '../../schema/graphql-fault.ts';
import {
  argumentName,
  clinicalResources,
  defaultReverseParameter,
  graphqlType,
  isResourceType,
  reverseParameters,
  searchParameters,
  tables,
} from '../../schema/tables.ts';
import type { Clinical, Search } from './clinical.ts';
import { pageSize } from './clinical.ts';
import type { StudyKeys } from './imaging-links.ts';
import {
  isOrderOf,
  isReportOf,
  orderAccessionNumbers,
  orderStudyUids,
  patientIdOf,
  reportAccessionNumbers,
  reportStudyUids,
  studyUidOfReference,
} from './imaging-links.ts';
import type { Page } from './page.ts';
import { pageOf } from './page.ts';
import { patientOrId, resolversOfUnreadablePatient } from './patient.ts';
import { parseFilter } from './search/filter.ts';

/** The GraphQL context of one request. */
export interface ClinicalContext {
  clinical: Clinical;
}

type Args = Record<string, unknown>;
type Resolver = GraphQLFieldResolver<never, ClinicalContext, never>;
type Fields = Record<string, Resolver>;

/** All resolvers of the clinical subgraph, made from the tables (FG-1). */
export function clinicalResolvers(sdl: DocumentNode): Record<string, object> {
  const resolvers: Record<string, Fields> = datatypeResolvers<ClinicalContext>(
    sdl,
    resolveReference,
  ) as Record<string, never>;
  const add = (type: string, fields: Record<string, unknown>): void => {
    resolvers[type] = Object.assign(resolvers[type] ?? {}, fields);
  };
  for (const type of clinicalResources) {
    add('Query', rootFields(type));
    add(graphqlType(type), {
      __resolveReference: ({ id }: { id: string }, { clinical }: ClinicalContext) =>
        readEntity(clinical, type, id),
      ...reverseFields(type),
    });
  }
  add('Patient', resolversOfUnreadablePatient(resolvers['Patient'] ?? {}));
  for (const [type, fields] of Object.entries(imagingJoins())) add(type, fields);
  return resolvers;
}

/** A wrapper that only makes the resolver's types meet the map's; faults become GraphQL errors. */
function resolver<Source, A = Args>(
  resolve: (source: Source, args: A, clinical: Clinical) => unknown,
): Resolver {
  return faultsAsErrors<Source, ClinicalContext, A>((source, args, { clinical }) =>
    resolve(source, args, clinical),
  ) as unknown as Resolver;
}

const readEntity = faultsOf((clinical: Clinical, type: string, id: string) =>
  type === 'Patient' ? patientOrId(clinical, id) : clinical.read(type, id),
);

function faultsOf<A extends unknown[]>(read: (...args: A) => Promise<unknown>) {
  const guarded = faultsAsErrors<A, unknown, unknown>((args) => read(...args));
  return (...args: A): unknown => guarded(args, {}, {}, undefined as never);
}

function rootFields(type: string): Fields {
  return {
    [type]: resolver((_: unknown, { id }, clinical) => readEntity(clinical, type, id as string)),
    [`${type}List`]: resolver((_: unknown, args, clinical) => clinical.list(type, searchOf(type, args))),
    [`${type}Connection`]: resolver(async (_: unknown, args, clinical) =>
      connection(await pageOf(clinical, type, { ...searchOf(type, args), total: true })),
    ),
  };
}

function reverseFields(target: string): Fields {
  const fields: Fields = {};
  for (const source of Object.keys(tables.reverse[target] ?? {})) {
    fields[`${source}List`] = resolver(({ id }: Resource, args, clinical) =>
      clinical.related(source, referenceOf(source, target, args), target, id ?? '', searchOf(source, args)),
    );
    fields[`${source}Connection`] = resolver(async ({ id }: Resource, args, clinical) => {
      const { params, ...search } = searchOf(source, args);
      const bound = [...params, [referenceOf(source, target, args), `${target}/${id}`]] as const;
      return connection(await pageOf(clinical, source, { ...search, params: bound, total: true }));
    });
  }
  return fields;
}

/** The parameter that `_reference` names, or the only one there is (FG-3). */
function referenceOf(source: string, target: string, { _reference }: Args): string {
  const codes = reverseParameters(source, target);
  const code =
    typeof _reference === 'string'
      ? codes.find((candidate) => argumentName(candidate) === _reference)
      : defaultReverseParameter(source, target);
  if (code === undefined) {
    const choices = codes.map(argumentName).join(', ');
    throw new Fault(
      'invalid_request',
      `${source} refers to ${target} in several ways: name one of ${choices} as _reference.`,
    );
  }
  return code;
}

const NOT_PARAMETERS = new Set(['_count', '_offset', '_sort', '_cursor', '_filter', '_reference']);
const codesByArgument: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map(
  Object.keys(tables.searchParameters).map((type) => [
    type,
    new Map(searchParameters(type).map(({ code }) => [argumentName(code), code])),
  ]),
);

/** GraphQL arguments as a search: values of one argument are alternatives (FG-2). */
function searchOf(type: string, args: Args): Search {
  const params: [string, string][] = [];
  for (const [name, value] of Object.entries(args)) {
    const code = NOT_PARAMETERS.has(name) ? undefined : codesByArgument.get(type)?.get(name);
    if (code !== undefined && Array.isArray(value) && value.length > 0) params.push([code, value.join(',')]);
  }
  const { _count, _offset, _sort, _cursor, _filter } = args as {
    _count?: number | null;
    _offset?: number | null;
    _sort?: string[] | null;
    _cursor?: string | null;
    _filter?: string | null;
  };
  if ((_offset ?? 0) < 0) throw new Fault('invalid_request', '_offset must not be negative.');
  return {
    // An argument is of the schema: one that a source cannot answer must not widen what is found.
    strict: true,
    params: _filter ? [...params, ...parseFilter(type, _filter)] : params,
    ...(typeof _count === 'number' && { count: _count }),
    ...(typeof _offset === 'number' && { offset: _offset }),
    ...(_sort &&
      _sort.length > 0 && {
        sort: _sort
          .flatMap((keys) => keys.split(','))
          .map(sortKey)
          .join(','),
      }),
    ...(typeof _cursor === 'string' && { cursor: _cursor }),
  };
}

/** Sort keys may be spelt as arguments are. */
function sortKey(key: string): string {
  const [, sign = '', name = ''] = /^(-?)(.*)$/.exec(key.trim()) ?? [];
  return sign + (name.startsWith('_') ? name : name.replaceAll('_', '-'));
}

function connection({ resources, applied: _, ...page }: Page): object {
  return { ...page, edges: resources.map((resource) => ({ mode: 'match', resource })) };
}

async function resolveReference(
  reference: Reference,
  { clinical }: ClinicalContext,
  type?: string,
): Promise<UnionMember | undefined> {
  const target = await clinical.target(reference.reference);
  const wanted = target?.type ?? reference.type;
  if (type !== undefined && wanted !== undefined && wanted !== type) return undefined;
  const uid =
    wanted === undefined || wanted === 'ImagingStudy'
      ? await studyUidOfReference(clinical, reference)
      : undefined;
  if (uid !== undefined) {
    return type === undefined || type === 'ImagingStudy'
      ? { __typename: 'ImagingStudy', id: uid }
      : undefined;
  }
  if (reference.reference === undefined) return undefined;
  if (!target || !isResourceType(target.type) || target.type === 'ImagingStudy') throw unresolved();
  if (target.type === 'Endpoint') return { __typename: 'Endpoint', id: target.id };
  return (
    target.type === 'Patient' ? patientOrId(clinical, target.id) : clinical.read(target.type, target.id)
  ) as Promise<UnionMember>;
}

/** The clinical side of what report, order and images have of each other (FG-9). */
function imagingJoins(): Record<string, Fields> {
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
      _accessionNumbers: resolver((order: ServiceRequest) => orderAccessionNumbers(order)),
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

/** R4 has no search from a report to its study: the patient's are fetched once and matched here. */
async function ofStudy<T extends Resource>(
  clinical: Clinical,
  type: string,
  study: StudyKeys,
  args: Args,
  belongs: (clinical: Clinical, resource: T, study: StudyKeys) => Promise<boolean>,
): Promise<T[]> {
  if (!study._patientId) return [];
  const { count, offset = 0, ...search } = searchOf(type, args);
  const all = (await clinical.related(type, 'patient', 'Patient', study._patientId, search)) as T[];
  const matches = await Promise.all(all.map((resource) => belongs(clinical, resource, study)));
  const found = all.filter((_, index) => matches[index]);
  return found.slice(offset, count === undefined ? undefined : offset + pageSize(count));
}
