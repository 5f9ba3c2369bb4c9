import type { Binary, Resource } from 'fhir/r4.js';
import type { Access } from '../../../schema/access/access.ts';
import type { RecordOperation } from '../../../schema/fault/audit.ts';
import { requirePatient } from '../../../schema/access/access.ts';
import { noSuchResource } from '../../../schema/fault/refusals.ts';
import { FHIR_ID, parseReference } from '../../../schema/fhir/fhir.ts';
import { requireScope } from '../../../schema/access/scopes.ts';
import { isResourceType } from '../../../schema/fhir/tables.ts';
import { AccessRecord } from '../authorization/access-record.ts';
import { supportedParameters } from './supported-parameters.ts';
import { requireSearchInReach } from '../authorization/binding.ts';
import { readChain } from './chain.ts';
import type { Compartment } from '../authorization/compartment.ts';
import type { GranularScopes } from '../authorization/granular-scopes.ts';
import { isPage, LIST_LIMIT, pageSize, requireListable } from './limits.ts';
import { readIfAllowed } from './read-if-allowed.ts';
import { Related } from './related.ts';
import type { Search, SearchResult } from './search.ts';
import { RequestSource } from '../sources/request-source.ts';
import { reachOf } from '../search/reach.ts';
import type { ClinicalSource, SearchParams } from '../sources/source.ts';

export interface ClinicalOptions {
  source: () => Promise<ClinicalSource>;
  access: Access;
  compartment: Compartment;
  granular: GranularScopes;
  signal?: AbortSignal;
  /** Records reads and searches (IA-30). */
  audit?: RecordOperation;
  /** Types of identifiers that join orders with images (`joins.accessionTypes`). */
  accessionTypes: readonly string[];
}

/**
 * The clinical record for one caller and one request. GraphQL and FHIR REST call the same methods. Each method requires the
 * scopes (SM-6), stays within the patients in reach (SM-16) and checks the results of the source again.
 */
export class Clinical {
  readonly access: Access;
  readonly accessionTypes: readonly string[];
  readonly #source: RequestSource;
  readonly #compartment: Compartment;
  readonly #granular: GranularScopes;
  readonly #related: Related;
  readonly #record: AccessRecord;
  /** References to the patients in reach; undefined: all. */
  readonly #own: ReadonlySet<string> | undefined;

  constructor(options: ClinicalOptions) {
    const { source, access, compartment, granular, signal, audit, accessionTypes } = options;
    this.access = access;
    this.accessionTypes = accessionTypes;
    this.#source = new RequestSource(source, signal);
    this.#compartment = compartment;
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
  read(type: string, id: string): Promise<Resource> {
    return this.#record.read(type, id, () => this.#read(type, id));
  }

  async #read(type: string, id: string): Promise<Resource> {
    if (!isResourceType(type)) throw noSuchResource();
    const coverage = requireScope(this.access, type, 'r');
    if (type === 'Patient') requirePatient(this.access, id);
    const never = this.access.patients !== 'all' && reachOf(type) === 'never';
    if (!FHIR_ID.test(id) || never) throw noSuchResource();
    const resource = await this.#source.read(type, id);
    if (!resource || !(await this.#shown(resource))) throw noSuchResource();
    const [granted] = await this.#granular.satisfying(type, [resource], coverage);
    if (!granted) throw noSuchResource();
    return granted;
  }

  /**
   * Returns one page of a search, at most `PAGE_LIMIT` resources.
   * @throws Fault `insufficient_scope`; `forbidden` when a patient out of reach is named, or the type cannot be searched;
   * `unsupported_parameter` when `strict`
   */
  search(type: string, search: Search): Promise<SearchResult> {
    return this.#record.search(type, search.params, () => this.#search(type, search));
  }

  async #search(type: string, search: Search): Promise<SearchResult> {
    if (!isResourceType(type)) throw noSuchResource();
    const coverage = requireScope(this.access, type, 's');
    const source = await this.#source.backend();
    const { applied, sort } = supportedParameters(source, type, search);
    requireSearchInReach(this.access, type, applied);
    const params = this.#withChains(type, applied, source.local);
    const patients = this.#patients;
    const { offset, cursor, total, count = LIST_LIMIT } = search;
    const page = await this.#granular.covered(
      this.#source,
      type,
      {
        ...{ params, count },
        ...(patients && { patients }),
        ...(sort !== undefined && { sort }),
        ...(offset !== undefined && { offset }),
        ...(cursor !== undefined && { cursor }),
        ...(total !== undefined && { total }),
      },
      coverage,
    );
    const resources = page.resources.filter((resource) => this.#visible(resource));
    const found = { ...page, resources, applied, ...(sort !== undefined && { sort }) };
    // A cursor may lead to any page of a server. Its resources are filtered here, but its total must not be shown.
    if (cursor !== undefined && this.access.patients !== 'all' && !source.local) delete found.total;
    return found;
  }

  /**
   * Refuses chains that the caller may not use (SM-6), and names the type to which a chain leads where only one may be
   * searched. A source does not follow chains into the record of a patient out of reach (SM-16): a store is told the
   * patients, a server knows them by the token.
   */
  #withChains(type: string, params: SearchParams, local: boolean): SearchParams {
    return params.map(([name, value]) => {
      const chain = readChain(this.access, type, name);
      if (!chain) return [name, value] as const;
      const [target = '', ...others] = chain.types;
      const isBound = this.access.patients !== 'all' && reachOf(target) === 'compartment';
      if (isBound) requireSearchInReach(this.access, target, [[chain.name, value]]);
      const typed = `${chain.code}:${target}.${chain.name}`;
      return [local && others.length === 0 ? typed : name, value] as const;
    });
  }

  /**
   * Returns all matches, or the page that `count` and `offset` ask for.
   * @throws Fault `too_large` when more than `LIST_LIMIT` match and no page was asked for (FG-2)
   */
  async list(type: string, search: Search): Promise<Resource[]> {
    const count = isPage(search) ? pageSize(search.count) : LIST_LIMIT + 1;
    const { resources } = await this.search(type, { ...search, count });
    requireListable(type, resources.length);
    return resources;
  }

  /**
   * Returns the resources of a type that refer to one resource. Calls for many resources become one search (FG-6).
   * @param code the reference parameter, e.g. `subject`
   */
  async related(type: string, code: string, target: string, id: string, search: Search): Promise<Resource[]> {
    const { local } = await this.#source.backend();
    if (local && (search.count !== undefined || search.offset !== undefined)) {
      return this.list(type, { ...search, params: [...search.params, [code, `${target}/${id}`]] });
    }
    return this.#related.list(type, code, target, id, search);
  }

  /** Returns the source, only for its own properties: it does not check what the caller may see. */
  backend(): Promise<ClinicalSource> {
    return this.#source.backend();
  }

  /** Returns type and id of a literal reference to this record: relative, or absolute below the source's base. */
  async target(reference: string | undefined): Promise<{ type: string; id: string } | undefined> {
    if (reference === undefined) return undefined;
    if (/^[a-z][a-z0-9+.-]*:/i.test(reference)) {
      const { base } = await this.#source.backend();
      if (!base || !reference.startsWith(`${base}/`)) return undefined;
    }
    return parseReference(reference);
  }

  /** Returns true when a read may show it; a Binary needs access to its `securityContext` (R4 §2.38.3, SM-16). */
  async #shown(resource: Resource): Promise<boolean> {
    if (this.access.patients === 'all' || reachOf(resource.resourceType) !== 'attached') {
      return this.#visible(resource);
    }
    const owner = await this.target((resource as Binary).securityContext?.reference);
    if (!owner || reachOf(owner.type) !== 'compartment') return false;
    return (await readIfAllowed(this.read(owner.type, owner.id))) !== undefined;
  }

  /** Ids of the patients in reach; undefined: all. */
  get #patients(): readonly string[] | undefined {
    const { patients } = this.access;
    return patients === 'all' ? undefined : patients.map(({ id }) => id);
  }

  #visible(resource: Resource): boolean {
    return this.#own === undefined || this.#compartment.includes(resource, this.#own);
  }
}
