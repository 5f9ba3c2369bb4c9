import type { Binary, Resource } from 'fhir/r4.js';
import { requirePatient, type Access } from '../../../schema/access/access.ts';
import type { MeasureCall } from '../../../schema/access/source-calls.ts';
import type { RecordOperation } from '../../../schema/access/audit.ts';
import { mapInTurns } from '../../../schema/process/event-loop.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { noSuchResource } from '../../../schema/fault/refusals.ts';
import type { JoinRule } from '../../../schema/fhir/accession-types.ts';
import { writeFhirJson } from '../../../schema/fhir/decimal.ts';
import { FHIR_ID, parseReference } from '../../../schema/fhir/fhir.ts';
import { MOST_PATIENTS, requirePatientSet } from '../../../schema/fhir/search/patient-sets.ts';
import { requireFewConditions } from '../../../schema/http/request-bounds.ts';
import { requireScope, type Coverage } from '../../../schema/access/scopes.ts';
import { isResourceType } from '../../../schema/fhir/tables.ts';
import { AccessRecord } from '../authorization/access-record.ts';
import { supportedParameters } from './supported-parameters.ts';
import { requireSearchInReach } from '../authorization/binding.ts';
import { requireInnerSearches } from './chain.ts';
import { asksStudies, studySearches } from './study-searches.ts';
import { patientNamed, PatientSets } from './patient-sets.ts';
import { withOwnReferences } from './own-references.ts';
import type { Compartment } from '../authorization/compartment.ts';
import type { GranularScopes } from '../authorization/granular-scopes.ts';
import type { PatientStudiesFound, StudyImages } from './study-images.ts';
import { LIST_LIMIT, requireListable } from './limits.ts';
import { readIfAllowed } from './read-if-allowed.ts';
import { Related, searchAlone, type Relation } from './related.ts';
import type { Search, SearchResult, SearchTexts } from './search.ts';
import { notAppliedFault } from '../sources/fhir-server-fault.ts';
import { RequestSource } from '../sources/request-source.ts';
import type { SourceAnswers } from '../sources/source-answers.ts';
import { reachOf } from '../search/reach.ts';
import { requireReadableValues } from '../search/readable-values.ts';
import type { Facet } from '../../../schema/fhir/facets.ts';
import { allOf, andThen, type Awaitable } from '../../../schema/process/awaitable.ts';
import type { Abortable } from '../../../schema/process/request-end.ts';
import type {
  ClinicalSource,
  FacetsWanted,
  HistoryPage,
  HistorySearch,
  SearchParams,
  TextPage,
} from '../sources/source.ts';

/** Finds the studies that have some UIDs, by patient: UID → Study Instance UID. It gives only what the caller may see. */
export type StudiesOfObjects = (
  wanted: ReadonlyMap<string, ReadonlySet<string>>,
) => Promise<ReadonlyMap<string, ReadonlyMap<string, string>>>;

export interface ClinicalOptions {
  source: () => Awaitable<ClinicalSource>;
  access: Access;
  compartment: Compartment;
  granular: GranularScopes;
  over?: Abortable;
  /** Records reads and searches (IA-30). */
  audit?: RecordOperation;
  /** Measures the calls to the record. */
  measure?: MeasureCall | undefined;
  /** The rules by which the tenant joins the record with images. */
  joins: JoinRule;
  /** The images, for UIDs of series and instances; undefined: there are none to ask. */
  studiesOfObjects?: StudiesOfObjects | undefined;
  /** Absolute base of this record's FHIR API; references below it are references to this record. */
  base: string;
  /** Returns the images, the same at each call. */
  images?: () => StudyImages | undefined;
  /** Answers that the source has given to the same request of a client. */
  answers?: SourceAnswers | undefined;
}

/**
 * The clinical record for one caller and one request. GraphQL and FHIR REST call the same methods. Each method requires the
 * scopes (SM-6), stays within the patients in reach (SM-16) and checks the results of the source again.
 */
export class Clinical {
  readonly access: Access;
  readonly joins: JoinRule;
  readonly studiesOfObjects: StudiesOfObjects | undefined;
  /** Returns the images, for this caller; undefined if this record is joined with none. */
  readonly images: () => StudyImages | undefined;
  readonly #base: string;
  readonly #source: RequestSource;
  readonly #compartment: Compartment;
  readonly #granular: GranularScopes;
  readonly #related: Related;
  readonly #record: AccessRecord;
  #patientSets: PatientSets | undefined;
  /** Ids of the patients in reach; undefined: all. */
  readonly #patients: readonly string[] | undefined;
  /** References to them. */
  readonly #own: ReadonlySet<string> | undefined;
  readonly #studies = new Map<string, Promise<PatientStudiesFound>>();

  constructor(options: ClinicalOptions) {
    const { source, access, compartment, granular, over, audit, joins, base } = options;
    this.#base = base;
    this.access = access;
    this.joins = joins;
    this.studiesOfObjects = options.studiesOfObjects;
    this.images = options.images ?? (() => undefined);
    this.#compartment = compartment;
    this.#patients = access.patients === 'all' ? undefined : access.patients.map(({ id }) => id);
    this.#source = new RequestSource(source, over, {
      calls: access.calls,
      measure: options.measure,
      patients: this.#patients ?? 'all',
      answers: options.answers,
    });
    this.#own = this.#patients && new Set(this.#patients.map((id) => `Patient/${id}`));
    this.#granular = granular;
    this.#record = new AccessRecord(access, compartment, audit);
    this.#related = new Related((type, search) => this.search(type, search), compartment);
  }

  /**
   * Reads one resource.
   * @throws Fault `insufficient_scope`; `forbidden` for another patient; the same `not_found` for a resource that does not
   * exist and for one out of reach
   */
  async read(type: string, id: string): Promise<Resource> {
    return this.readAtOnce(type, id);
  }

  /** As `read`, without waiting where everything is at hand; faults are then thrown at once. */
  readAtOnce(type: string, id: string): Awaitable<Resource> {
    return this.#record.read({ type, id }, () => this.#read(type, id), alone);
  }

  /** The same record for the gateway's own reads, which the audit trail does not have. */
  get unrecorded(): Pick<Clinical, 'read' | 'search' | 'holds'> & { searchTexts: SearchTexts } {
    return {
      read: async (type, id) => this.#read(type, id),
      search: (type, search) => this.#search(type, search),
      searchTexts: (type, search) => this.#searchTexts(type, search),
      holds: (type) => this.holds(type),
    };
  }

  /** Returns false when the source is known to have no resource of a type, of any patient. */
  async holds(type: string): Promise<boolean> {
    return (await this.#source.backend()).holds(type);
  }

  #read(type: string, id: string): Awaitable<Resource> {
    const coverage = this.#requireReadable(type, id);
    return andThen(this.#source.read(type, id), (found) => this.#requireGranted(type, found, coverage));
  }

  /** Refuses a read before the source is asked. */
  #requireReadable(type: string, id: string): Coverage {
    if (!isResourceType(type)) throw noSuchResource();
    const coverage = requireScope(this.access, type, 'r');
    if (type === 'Patient') requirePatient(this.access, id);
    const never = this.access.patients !== 'all' && reachOf(type) === 'never';
    if (!FHIR_ID.test(id) || never) throw noSuchResource();
    return coverage;
  }

  /**
   * Reads one version of a resource (R4 §3.1.0.3).
   * @throws Fault like `read`: each version is in reach, or not, by its own content
   */
  async version(type: string, id: string, versionId: string): Promise<Resource> {
    const run = async (): Promise<Resource> => {
      const coverage = this.#requireReadable(type, id);
      if (!FHIR_ID.test(versionId)) throw noSuchResource();
      return this.#requireGranted(type, await this.#source.version({ type, id }, versionId), coverage);
    };
    return this.#record.read({ type, id }, run, alone);
  }

  /**
   * Returns one page of the versions of a resource, newest first, without those out of reach (R4 §3.1.0.4). A deletion has no
   * content that could be judged: only callers who may see every resource of the type learn of it.
   * @throws Fault like `read`, also when no version is in reach
   */
  async history(type: string, id: string, search: HistorySearch): Promise<HistoryPage> {
    const run = async (): Promise<HistoryPage> => {
      const coverage = this.#requireReadable(type, id);
      const page = await this.#source.history({ type, id }, search);
      const granted = new Set(await this.#granted(type, resourcesOf(page), coverage));
      const unrestricted = this.access.patients === 'all' && !coverage.constraints;
      const versions = page.versions.filter(({ resource }) =>
        resource ? granted.has(resource) : unrestricted,
      );
      if (versions.length === 0 && search.cursor === undefined && !search.since) throw noSuchResource();
      return { ...page, versions };
    };
    return this.#record.read({ type, id }, run, resourcesOf);
  }

  #requireGranted(type: string, resource: Resource | undefined, coverage: Coverage): Awaitable<Resource> {
    return andThen(this.#granted(type, resource ? [resource] : [], coverage), ([granted]) => {
      if (!granted) throw noSuchResource();
      return granted;
    });
  }

  /** Returns those of some resources of a type that a read may show. */
  #granted(type: string, resources: readonly Resource[], coverage: Coverage): Awaitable<readonly Resource[]> {
    return andThen(
      allOf(resources, (resource) => this.#shown(resource)),
      (shown) => {
        const readable = resources.filter((_, index) => shown[index]);
        return this.#granular.satisfying(type, readable, coverage) ?? readable;
      },
    );
  }

  /**
   * Returns one page of a search, at most `LARGEST_PAGE` resources.
   * @throws Fault `insufficient_scope`; `forbidden` when a patient out of reach is named, or the type cannot be searched;
   * `unsupported_parameter` when `strict`
   */
  search(type: string, search: Search): Promise<SearchResult> {
    return this.#record.search(type, search.params, () => this.#search(type, search));
  }

  /**
   * Counts the values of a search parameter among all that a search finds, the most frequent first (FG-30).
   * @throws Fault like `search`; `not_implemented` for a source that cannot count
   */
  async facets(type: string, search: Search, wanted: FacetsWanted): Promise<Facet[]> {
    const run = async () => {
      const { coverage, params } = await this.#authorized(type, search);
      const narrowed = [...params, ...this.#granular.narrowing(type, coverage)];
      const patients = this.#patients;
      const within = { ...wanted, params: narrowed, ...(patients && { patients }) };
      return { facets: await this.#source.facets(type, within), resources: [] };
    };
    return (await this.#record.search(type, search.params, run)).facets;
  }

  /**
   * Refuses a search as `search` does when it is `strict`, without asking the source.
   * @throws Fault like `search`; `invalid_request` for a value that cannot be read
   */
  async requireSearch(type: string, params: SearchParams): Promise<void> {
    await this.#authorized(type, { params, strict: true });
    requireReadableValues(type, params);
  }

  /**
   * Finds patients, of whom only the id is given: there may be many.
   * @throws Fault like a strict `search`; `too_large` as `requirePatientSet`
   */
  async patients(params: SearchParams): Promise<readonly string[]> {
    const run = async () => ({ resources: (await this.#patientIds(params)).map(patientNamed) });
    const { resources } = await this.#record.search('Patient', params, run);
    return resources.map(({ id }) => id);
  }

  async #patientIds(params: SearchParams): Promise<readonly string[]> {
    const { coverage, source, ...asked } = await this.#authorized('Patient', { params, strict: true });
    const most = (source.local ? MOST_PATIENTS.local : MOST_PATIENTS.remote) + 1;
    const known = await this.#sets.patients({ params: asked.params, most }, coverage);
    const found = known ?? (await this.#search('Patient', { params, strict: true, count: most })).resources;
    requirePatientSet(found.length, source.local);
    return found.filter((one) => this.#visible(one)).map(({ id }) => id!);
  }

  /**
   * Returns the searches to which granular scopes narrow a type, and the ids that they find; undefined where they do not. It
   * records nothing.
   * @throws Fault like a search without parameters; `not_implemented` for a FHIR server, which finds no ids
   */
  async narrowing(
    type: string,
  ): Promise<{ searches: readonly SearchParams[]; ids(): Promise<readonly string[]> } | undefined> {
    const { coverage, source } = await this.#authorized(type, { params: [], strict: true });
    const searches = this.#granular.alternatives(type, coverage);
    if (!searches) return undefined;
    if (!source.ids)
      throw new Fault('not_implemented', `The scopes narrow ${type}: a FHIR server finds no ids.`);
    const patients = this.#patients && { patients: this.#patients };
    const find = (params: SearchParams) => this.#source.ids(type, { params, most: Infinity, ...patients });
    return { searches, ids: async () => [...new Set((await Promise.all(searches.map(find))).flat())] };
  }

  /** Made when it is first needed. */
  get #sets(): PatientSets {
    return (this.#patientSets ??= new PatientSets({
      access: this.access,
      granular: this.#granular,
      source: this.#source,
      images: this.images,
    }));
  }

  /** Checks a search, and returns what the source is asked. Searches of images are answered by then. */
  async #authorized(type: string, search: Search) {
    if (!isResourceType(type)) throw noSuchResource();
    const coverage = requireScope(this.access, type, 's');
    const source = await this.#source.backend();
    const ofStudies =
      search.params.some(asksStudies) && this.images() ? studySearches(type, search.params) : [];
    const own = ofStudies.length > 0 ? search.params.filter((one) => !asksStudies(one)) : search.params;
    const { applied, sort, ignored } = supportedParameters(source, type, { ...search, params: own });
    requireSearchInReach(this.access, type, applied);
    requireInnerSearches(this.access, type, applied);
    if (!source.local) requireReadableValues(type, own);
    const params = source.local ? withOwnReferences(type, applied, this.#base) : applied;
    const asked = { coverage, source, sort, ignored, within: undefined };
    if (ofStudies.length === 0) return { ...asked, applied, params };
    requireFewConditions(applied.length + ofStudies.length, 0);
    const found = await this.#sets.withStudies(type, ofStudies, { params, coverage });
    const isApplied = (one: SearchParams[number]) => asksStudies(one) || applied.includes(one);
    return { ...asked, applied: search.params.filter(isApplied), ...found };
  }

  async #search(type: string, search: Search): Promise<SearchResult> {
    const { coverage, source, applied, sort, ignored, params, within } = await this.#authorized(type, search);
    const patients = within ? [...within] : this.#patients;
    const { offset, cursor, total, strict, newestOf, count = LIST_LIMIT } = search;
    if (within?.size === 0) return { resources: [], applied, ignored, ...(total && { total: 0 }) };
    // The other searches of the page, which find whether the store is still the same, need not wait for this one.
    const isEmpty = newestOf && source.local && !coverage.constraints && !(await source.holds(type));
    if (isEmpty) return { resources: [], applied, ignored };
    const page = await this.#granular.covered(
      this.#source,
      type,
      {
        params,
        count,
        ...(patients && { patients }),
        sort,
        offset,
        cursor,
        total,
        strict,
        ...(newestOf && { newestOf }),
      },
      coverage,
    );
    const resources = page.resources.filter(
      (resource) => this.#visible(resource) && (within?.has(resource.id!) ?? true),
    );
    const notApplied = new Set(page.notApplied);
    const found = {
      ...page,
      resources,
      applied: applied.filter(([name]) => !notApplied.has(name)),
      ignored: [...ignored, ...[...notApplied].map((name) => notAppliedFault(type, [name]))],
      ...(sort !== undefined && !notApplied.has('_sort') && { sort }),
    };
    // A cursor may lead to any page of a server. Its resources are filtered here, but its total must not be shown.
    const isNarrowed = within !== undefined || (cursor !== undefined && this.access.patients !== 'all');
    if (isNarrowed && !source.local) delete found.total;
    return found;
  }

  /** A source without texts is searched as ever, and so is one for scopes that one search does not cover. */
  async #searchTexts(...[type, search]: Parameters<SearchTexts>): Promise<TextPage> {
    const { coverage, source, params } = await this.#authorized(type, search);
    const narrowing = source.searchTexts && this.#granular.narrowingAtOnce(type, coverage);
    if (!narrowing) {
      const { resources, next } = await this.#search(type, search);
      return { texts: resources.map((resource) => writeFhirJson(resource)), next };
    }
    const { count, cursor, strict } = search;
    const within = { count, cursor, strict, patients: this.#patients, params: [...params, ...narrowing] };
    const { texts, next } = await this.#source.texts(type, within);
    const own = this.#own;
    if (!own) return { texts, next };
    const isVisible = await mapInTurns(texts, (text) => this.#compartment.includesText(type, text, own));
    return { texts: texts.filter((_, index) => isVisible[index]), next };
  }

  /**
   * Returns all matches, or the page that `count` and `offset` ask for.
   * @throws Fault `too_large` when more than `LIST_LIMIT` match and no page was asked for (FG-2)
   */
  async list(type: string, search: Search): Promise<Resource[]> {
    const { count = LIST_LIMIT + 1 } = search;
    const { resources } = await this.search(type, { ...search, count });
    requireListable(type, resources.length);
    return resources;
  }

  /**
   * Returns the resources of a type that refer to one resource: all, or the page that `count` and `offset` ask for. Calls
   * for many resources become one search (FG-6).
   */
  async related(relation: Relation, search: Search): Promise<Resource[]> {
    const all = await this.relatedTogether(relation, search);
    if (!all) return this.list(relation.type, searchAlone(relation, search));
    const { offset = 0, count } = search;
    const list = all.slice(offset, count === undefined ? undefined : offset + count);
    requireListable(relation.type, list.length);
    return list;
  }

  /**
   * Returns all resources of a relation, if one search finds those of many resources; undefined when the relation has to be
   * searched alone. For a page, many small searches in this process cost less than one that has to be split.
   */
  async relatedTogether(relation: Relation, search: Search): Promise<Resource[] | undefined> {
    const { local } = await this.#source.backend();
    const isWhole = search.count === undefined && search.offset === undefined;
    return local && !isWhole ? undefined : this.#related.together(relation, search);
  }

  /**
   * Returns the imaging studies of a patient, which are searched once in a request; none without image sources.
   * @throws Fault like `ImagingStudy?patient=`
   */
  async studiesOf(patientId: string): Promise<PatientStudiesFound> {
    const found =
      this.#studies.get(patientId) ??
      this.images()?.studiesOf(patientId) ??
      Promise.resolve({ studies: [], failed: [] });
    this.#studies.set(patientId, found);
    return found;
  }

  /**
   * Makes resources that are not in the source, and returns those that a search of their type may show.
   * @throws Fault `insufficient_scope` before anything is made
   */
  async permitted<T extends Resource>(
    type: string,
    make: () => Promise<readonly T[]>,
  ): Promise<readonly T[]> {
    const coverage = requireScope(this.access, type, 's');
    const visible = (await make()).filter((resource) => this.#visible(resource));
    return ((await this.#granular.satisfying(type, visible, coverage)) as T[] | undefined) ?? visible;
  }

  /** Returns those of some resources that a search finds; undefined if a resource alone does not decide it. */
  matching(
    type: string,
    resources: readonly Resource[],
    params: SearchParams,
  ): Promise<Resource[]> | undefined {
    return this.#granular.matching(type, resources, params);
  }

  /** Returns the source, only for its own properties: it does not check what the caller may see. */
  backend(): Promise<ClinicalSource> {
    return this.#source.backend();
  }

  /** Returns type and id of a literal reference to this record: relative, or absolute below the source's base. */
  target(reference: string | undefined): Awaitable<{ type: string; id: string } | undefined> {
    if (reference === undefined || !/^[a-z][a-z0-9+.-]*:/i.test(reference)) return parseReference(reference);
    return this.#source
      .backend()
      .then(({ base }) => (base && reference.startsWith(`${base}/`) ? parseReference(reference) : undefined));
  }

  /** Returns the literal targets (`Patient/1`) of a reference parameter in a resource. */
  referenced(resource: Resource, code: string): string[] {
    return this.#compartment.referenced(resource, code);
  }

  /** Returns true when a read may show it; a Binary needs access to its `securityContext` (R4 §2.38.3, SM-16). */
  #shown(resource: Resource): Awaitable<boolean> {
    return this.access.patients === 'all' || reachOf(resource.resourceType) !== 'attached'
      ? this.#visible(resource)
      : this.#isAttachedToShown(resource);
  }

  async #isAttachedToShown(resource: Resource): Promise<boolean> {
    const owner = await this.target((resource as Binary).securityContext?.reference);
    if (!owner || reachOf(owner.type) !== 'compartment') return false;
    return (await readIfAllowed(this.read(owner.type, owner.id))) !== undefined;
  }

  #visible(resource: Resource): boolean {
    return this.#own === undefined || this.#compartment.includes(resource, this.#own);
  }
}

const alone = (resource: Resource): Resource[] => [resource];

const resourcesOf = ({ versions }: HistoryPage): Resource[] =>
  versions.flatMap(({ resource }) => resource ?? []);
