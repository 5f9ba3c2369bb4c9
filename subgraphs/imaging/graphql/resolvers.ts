import type { ImagingStudy, Reference } from 'fhir/r4.js';
import {
  type DocumentNode,
  type GraphQLError,
  type GraphQLFieldResolver,
  type GraphQLResolveInfo,
} from 'graphql';
import { requireScope } from '../../../schema/access/scopes.ts';
import type { AnswerBudget } from '../../../schema/graphql/answer-budget.ts';
import {
  datatypeResolvers,
  unresolved,
  type RequestContext,
  type UnionMember,
} from '../../../schema/graphql/datatype-resolvers.ts';
import { addExpressionLists } from '../../../schema/graphql/expression-lists.ts';
import type { ItemSelector } from '../../../schema/expressions/item-selector.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { Derivation } from '../../../schema/process/derivation.ts';
import { noSuchResource } from '../../../schema/fault/refusals.ts';
import { encodeCursor, LARGEST_PAGE, mapNeighbours, neighbours } from '../../../schema/fhir/search/paging.ts';
import { parseReference } from '../../../schema/fhir/fhir.ts';
import { failedIn, faultsAsErrors, reportPartial } from '../../../schema/graphql/graphql-fault.ts';
import { pure, pureIf } from '../../../schema/graphql/pure.ts';
import type { Args } from '../../../schema/fhir/search/search-arguments.ts';
import { joinedTypes } from '../../../schema/fhir/joined-types.ts';
import type { StudyKeys, StudyLinks } from '../../../schema/fhir/study-match.ts';
import { graphqlType, isResourceType } from '../../../schema/fhir/tables.ts';
import { andThen, type Awaitable } from '../../../schema/process/awaitable.ts';
import { copyWith } from '../../../schema/process/copy-with.ts';
import {
  instanceFacts,
  instancesOf,
  seriesFacts,
  seriesOf,
  type Facts,
  type SeriesSource,
} from './dicom-facts.ts';
import { findStudies, patientFaults, type ResourceOptions, type FoundStudy } from '../fhir/find.ts';
import { linkedStudies, sameAccession } from './linked-studies.ts';
import { RequestLoaders, type GraphqlOptions } from './graphql-loaders.ts';
import { studyFacets } from './study-facets.ts';
import { pageWithRows } from './page-with-rows.ts';
import { priorsOfStudy, type PriorsPage } from './priors.ts';
import { searchOf } from './search-arguments.ts';
import type { ImagingStudySearch } from '../fhir/search.ts';
import { keysOf, patientOf } from '../study/document/study-keys.ts';
import type { AuthorizedStudies } from '../study/authorized-studies.ts';
import { readEndpoint } from '../fhir/study-endpoint.ts';

/** The GraphQL context of one execution. */
export interface ImagingContext extends RequestContext {
  imaging: AuthorizedStudies;
  /** Errors of a partial answer (DW-18); the executor adds them to the answer. */
  partial: GraphQLError[];
  /** The budget that long lists use. */
  budget?: AnswerBudget;
}

/** Reports sources that did not answer, while others did. */
type Report = (failed: readonly Fault[]) => void;

type PartialList = { list: readonly unknown[]; failed: readonly Fault[] };

interface Asked {
  info: GraphQLResolveInfo;
  report: Report;
}

type Resolver = GraphQLFieldResolver<never, ImagingContext, never>;

/** Key of the found study. No FHIR element carries it, and clients never see it. */
const FOUND = Symbol('found');

/** An ImagingStudy with the fields by which the other subgraph joins it. */
type Joined = ImagingStudy & StudyKeys & { [FOUND]: FoundStudy };

/** On a core, the facts that the executions of its request share. A weak map would keep them beyond the request. */
const FACTS = Symbol('facts');
interface WithFacts {
  [FACTS]?: Facts;
}

/** Prepares the studies of a patient together with those of others, where there may be others in the request (FG-6). */
function prepared(
  { imaging: { access }, loaders }: Facts,
  patient: string | null | undefined,
): Awaitable<unknown> {
  const isOnly = access.patients !== 'all' && access.patients.length === 1;
  return !patient || isOnly ? undefined : loaders.patient.load(patient);
}

/** Returns all resolvers of the imaging subgraph (FG-8 to FG-10). */
export function imagingResolvers(
  sdl: DocumentNode,
  options: GraphqlOptions,
  selector: ItemSelector,
): Record<string, object> {
  const factsOf = ({ imaging, budget }: ImagingContext): Facts =>
    ((imaging as WithFacts)[FACTS] ??= {
      imaging,
      loaders: new RequestLoaders(imaging, options, budget),
      series: new Map(),
      bases: new Map(),
      reported: new Set<Fault>(),
    });

  /** Makes a resolver over the facts of the request; faults become GraphQL errors. */
  const field = <Source, A = Args>(
    resolve: (source: Source, args: A, facts: Facts, asked: Asked) => unknown,
  ): Resolver =>
    faultsAsErrors<Source, ImagingContext, A>((source, args, context, info) =>
      resolve(source, args, factsOf(context), {
        info,
        report: (failed) => reportPartial(context, info, failed),
      }),
    ) as Resolver;
  /** Makes the resolver of a list of which a part may be missing. */
  const partial = <Source, A = Args>(
    resolve: (source: Source, args: A, facts: Facts) => Promise<PartialList>,
  ): Resolver =>
    field<Source, A>(async (...[source, args, facts, { report }]) => {
      const { list, failed } = await resolve(source, args, facts);
      report(failedIn(list, failed));
      return list;
    });
  const fields = (table: Record<string, (source: never, args: never, facts: Facts) => unknown>) =>
    Object.fromEntries(
      Object.entries(table).map(([name, resolve]) => [
        name,
        pureIf(resolve, field(resolve as (source: unknown) => unknown)),
      ]),
    );
  const entity = <T>(resolve: (id: string, facts: Facts, report: Report) => T) => {
    const guarded = field<{ id: string }>(({ id }, _, facts, { report }) => resolve(id, facts, report));
    return (reference: { id: string }, context: ImagingContext) =>
      // eslint-disable-next-line no-restricted-syntax -- graphql-js calls it as a resolver without arguments
      guarded(reference as never, {} as never, context, {} as GraphQLResolveInfo);
  };

  /** Makes the resolver of a list or connection: of all studies, or of those of the patient that `of` returns. */
  const searched = (
    { write, path }: { write: typeof listed | typeof connection; path: readonly string[] },
    of?: (source: { id: string }) => string,
  ) =>
    field<{ id: string }>((source, args, facts, { report, info }) => {
      const patient = of?.(source);
      const search = searchOf(args, patient);
      const { imaging } = facts;
      const withAll = copyWith(search, { resources: true as const });
      return andThen(prepared(facts, patient), () =>
        andThen(findStudies(imaging, search, options), (results) => {
          report(failedIn(results.all, results.failed));
          const facets = studyFacets({
            resources: results.resources,
            counts: (by) => imaging.counts(by),
            find: async () => (await findStudies(imaging, withAll, options)).resources!,
          });
          return andThen(pageWithRows(results, facts, { info, path }), (page) =>
            write({ ...results, page, facets }, args, search),
          );
        }),
      );
    });
  const ownId = ({ id }: { id?: unknown }) => {
    // A contained Patient may have no id. Then it has no images; it does not stand for all patients.
    if (typeof id !== 'string') throw noSuchResource();
    return id;
  };
  const study = async (id: string, { loaders, imaging, reported }: Facts, report: Report) => {
    const found = await loaders.study.load(id);
    const faults = [...imaging.sourceFaults, ...patientFaults([found])];
    report(faults.filter((fault) => !reported.has(fault) && reported.add(fault)));
    return joined(found);
  };
  /** The executor of entities adds a field to what it is given. */
  const ownStudy = async (id: string, facts: Facts, report: Report) => ({
    ...(await study(id, facts, report)),
  });
  const endpoint = (id: string, { imaging }: Facts) => readEndpoint(imaging, id, options);

  const generated = datatypeResolvers<ImagingContext>(
    sdl,
    (reference, context, type) => resolveReference(reference, factsOf(context), type, options),
    selector,
  ) as Record<string, Record<string, GraphQLFieldResolver<unknown, ImagingContext>>>;
  const selectSeries = generated['ImagingStudy']!['series']!;
  const selectInstances = generated['ImagingStudySeries']!['instance']!;
  /** Makes the resolver of a list of studies of one patient that are linked with an object. */
  const linkedList = <Source>(linksOf: (source: Source) => ReturnType<typeof linkedStudies>) =>
    field<Source>(async (source, args, facts, { report }) => {
      const links = linksOf(source);
      if (!links) return [];
      await prepared(facts, links.patientId);
      const search = searchOf(args, links.patientId);
      const results = await findStudies(facts.imaging, search, options, links.isLinked);
      report(failedIn(results.all, results.failed));
      return listed(results, args);
    });
  const linked = { ImagingStudyList: linkedList<StudyLinks>(linkedStudies) };

  const resolvers: Record<string, object> = {
    ...generated,
    Query: {
      ImagingStudy: field<unknown, { id: string }>((_, { id }, facts, { report }) =>
        study(id, facts, report),
      ),
      ImagingStudyList: searched(LIST),
      ImagingStudyConnection: searched(CONNECTION),
      Endpoint: field<unknown, { id: string }>((_, { id }, facts) => endpoint(id, facts)),
    },
    Patient: { ImagingStudyList: searched(LIST, ownId), ImagingStudyConnection: searched(CONNECTION, ownId) },
    ...Object.fromEntries(joinedTypes.map((type) => [type, linked])),
    ImagingStudy: {
      ...generated['ImagingStudy'],
      series: faultsAsErrors<Joined, ImagingContext, Args>(
        pure((found, args, context, info) =>
          selectSeries({ series: seriesOf(found[FOUND]) }, args, context, info),
        ),
      ),
      // Without its patient nothing of the record can be joined with a study, and none of the other images.
      _patientId: faultsAsErrors<Joined, ImagingContext, Args>(pure((found) => patientOf(found[FOUND]))),
      sameAccession: linkedList<Joined>((found) =>
        sameAccession({ ...found, _patientId: patientOf(found[FOUND]) }),
      ),
      priors: partial(async (found: Joined, args: PriorsPage, facts) => {
        await prepared(facts, found._patientId);
        const results = await priorsOfStudy(facts.imaging, found[FOUND], { args, options });
        return { list: listed(results, args), failed: results.failed };
      }),
      dose: partial(async (found: Joined, _, { loaders }) => {
        const { doses, failed } = await loaders.reports.load(found[FOUND]);
        return { list: doses, failed };
      }),
      __resolveReference: entity(ownStudy),
    },
    Endpoint: { ...generated['Endpoint'], __resolveReference: entity(endpoint) },
    ImagingStudySeries: {
      ...generated['ImagingStudySeries'],
      ...fields(seriesFacts),
      // Fetched only if asked for: a list of studies needs no instances. Pure, as the facts of a series.
      instance: faultsAsErrors<SeriesSource, ImagingContext, Args>(
        pure((series, args, context, info) =>
          andThen(instancesOf(series, factsOf(context)), (instance) =>
            selectInstances({ instance }, args, context, info),
          ),
        ),
      ),
    },
    ImagingStudySeriesInstance: { ...generated['ImagingStudySeriesInstance'], ...fields(instanceFacts) },
  };
  addExpressionLists<ImagingContext>(sdl, resolvers, withoutInstances(selector));
  return resolvers;
}

/** Refuses expressions that read instances, which the studies of a list do not have. */
function withoutInstances(selector: ItemSelector): Pick<ItemSelector, 'select'> {
  return {
    select(...asked) {
      if (!/\binstance\b/.test(asked[1])) return selector.select(...asked);
      const message =
        'fhirpath cannot read the instances of a list of studies: use series { instance(fhirpath: …) }, or the argument instance.';
      throw new Fault('invalid_request', message);
    },
  };
}

type Results = Awaited<ReturnType<typeof findStudies>>;

/** Returns the whole list that was asked for. @throws Fault `too_large` instead of cutting it silently (FG-2) */
function listed(
  { page, total }: Pick<Results, 'page' | 'total'>,
  { _count }: { _count?: unknown },
): readonly Joined[] {
  if (typeof _count !== 'number' && total > LARGEST_PAGE) {
    throw new Fault(
      'too_large',
      `More than ${LARGEST_PAGE} ImagingStudy resources match. Ask for pages with _count and _offset or ImagingStudyConnection.`,
    );
  }
  return joinedLists.of(page, [], () => Object.freeze(page.map(joined)));
}

const joinedLists = new Derivation<readonly FoundStudy[], readonly Joined[]>();

function connection(
  { page, total, facets }: Results & { facets: unknown },
  _args: Args,
  search: ImagingStudySearch,
): object {
  const size = Math.max(1, search.count);
  const { offset } = search;
  return {
    count: total,
    offset,
    pagesize: size,
    ...mapNeighbours(neighbours({ offset, size, total }), encodeCursor),
    facets,
    edges: page.map((found) => ({ mode: 'match', resource: joined(found) })),
  };
}

/** The writer of a search's results, and the path to the studies in them. */
const LIST = { write: listed, path: [] };
const CONNECTION = { write: connection, path: ['edges', 'resource'] };

const joins = new Derivation<FoundStudy, Joined>();

/**
 * Returns the resource of a study for GraphQL, with the fields that join it to the record; the same for the same
 * frozen study.
 */
function joined(found: FoundStudy): Joined {
  return joins.of(found, [], () =>
    Object.freeze({ ...found.study, ...keysOf(found), id: found.study.id!, [FOUND]: found }),
  );
}

async function resolveReference(
  reference: Reference,
  facts: Facts,
  type: string | undefined,
  options: ResourceOptions,
): Promise<UnionMember | undefined> {
  if (reference.reference === undefined) return undefined;
  // The record's references to itself are relative: an absolute one names a resource of another server.
  const target = /^[a-z][a-z0-9+.-]*:/i.test(reference.reference)
    ? undefined
    : parseReference(reference.reference);
  if (!target || !isResourceType(target.type)) throw unresolved();
  if (type !== undefined && target.type !== type) return undefined;
  if (target.type === 'Endpoint') return readEndpoint(facts.imaging, target.id, options);
  if (target.type === 'ImagingStudy') return joined(await facts.loaders.study.load(target.id));
  // The other subgraph reads it. A patient has an id for every caller.
  if (target.type !== 'Patient') requireScope(facts.imaging.access, target.type, 'r');
  return { __typename: graphqlType(target.type), id: target.id };
}
