import type { Resource } from 'fhir/r4.js';
import { Fault } from '../../../schema/fault/fault.ts';
import type { Clinical } from '../record/clinical.ts';
import type { NewestOf, SearchPage, SearchParams } from '../sources/source.ts';
import { beginsBy, endOf, isWithin, overlaps, WRITTEN_DAY, type DateBounds, type When } from './dates.ts';
import type { RecordType } from './types.ts';

/** Resources of a type that are read at once, where the source has no order that helps. */
const MOST_OF_TYPE = 5_000;

/** A resource with its date. */
export interface Dated {
  resource: Resource;
  when: When;
  /** Milliseconds since the epoch. */
  start: number;
}

export interface TypeSearchOptions extends DateBounds {
  patientId: string;
  /** Milliseconds since the epoch: only what begins then or earlier is wanted. */
  before?: number | undefined;
  /** Resources of one request to the source. */
  count: number;
  /** The page of a timeline for which the first request reads. */
  newestOf?: NewestOf | undefined;
}

/**
 * The resources of one type, newest first, read as far as they are needed. Sources sort a period by its beginning or by its
 * end; what is read is complete down to the horizon in both cases.
 */
export class TypeSearch {
  readonly type: RecordType;
  readonly dated: Dated[] = [];
  /** Resources that were found without a date. */
  readonly #undated: Resource[] = [];
  readonly #known = new Set<string | undefined>();
  readonly #clinical: Clinical;
  readonly #options: TypeSearchOptions;
  #cursor: string | undefined;
  #horizon = Infinity;
  #newestOf: NewestOf | undefined;

  constructor(clinical: Clinical, type: RecordType, options: TypeSearchOptions) {
    this.#clinical = clinical;
    this.type = type;
    this.#options = options;
    this.#newestOf = options.newestOf;
  }

  /** All entries that begin later than this are known: milliseconds since the epoch, -Infinity for all. */
  get horizon(): number {
    return this.#horizon + (this.type.byDay ? WRITTEN_DAY : 0);
  }

  get isWhole(): boolean {
    return this.#horizon === -Infinity;
  }

  /**
   * Reads the next resources.
   * @throws Fault like `Clinical.search`; `too_large` for too many resources of a type that has to be read whole
   */
  async more(): Promise<void> {
    const { type, parameter, byDay } = this.type;
    const { before, count } = this.#options;
    const newestOf = this.#newestOf;
    // A further request also wants the entries that the first one has left out.
    this.#newestOf = undefined;
    if (parameter === undefined) return this.#newestOrAll(newestOf);
    // A period without a beginning began before all dates.
    const last = before === undefined ? [] : [beginsBy(parameter, before + (byDay ? WRITTEN_DAY : 0))];
    const search = { params: this.#params(this.#bounds, last), sort: `-${parameter}`, strict: true };
    try {
      const cursor = this.#cursor;
      const found = await this.#clinical.search(type, {
        ...search,
        count,
        cursor,
        ...(newestOf && { newestOf }),
      });
      await this.#add(found);
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== 'unsupported_parameter') throw error;
      // A source that does not sort is read whole, and sorted here.
      await this.#add({ resources: await this.#whole(search.params) });
    }
  }

  /** Reads what the page needs, where the dates of resources are known without them, or else all. */
  async #newestOrAll(newestOf: NewestOf | undefined): Promise<void> {
    const { dates } = this.type;
    const { local } = await this.#clinical.backend();
    const params = this.#params();
    if (!newestOf || !dates || !local) return this.#add({ resources: await this.#whole(params) });
    const sort = dates.map((parameter) => `-${parameter}`).join(',');
    const found = await this.#clinical.search(this.type.type, {
      params,
      sort,
      newestOf,
      count: MOST_OF_TYPE,
      strict: true,
    });
    if (found.next !== undefined) throw this.#tooMany();
    await this.#add(found);
  }

  /** Returns all resources within the bounds, of this page or not. @throws Fault like `more` */
  all(): Promise<Resource[]> {
    return this.#whole(this.#params(this.#bounds));
  }

  async #whole(params: SearchParams): Promise<Resource[]> {
    const { type } = this.type;
    const { resources, next } = await this.#clinical.search(type, {
      params,
      count: MOST_OF_TYPE,
      strict: true,
    });
    if (next === undefined) return resources;
    throw this.#tooMany();
  }

  #tooMany(): Fault {
    return new Fault('too_large', `There are too many ${this.type.type} resources to be read at once.`);
  }

  #params(...conditions: readonly SearchParams[]): SearchParams {
    return [['patient', this.#options.patientId], ...(this.type.params ?? []), ...conditions.flat()];
  }

  get #bounds(): SearchParams {
    return overlaps(this.type.parameter!, this.#options);
  }

  async #add({ resources, next, completeAfter }: SearchPage): Promise<void> {
    const { local } = await this.#clinical.backend();
    const known = this.#known.size;
    for (const resource of resources) {
      if (this.#known.has(resource.id)) continue;
      this.#known.add(resource.id);
      const when = this.type.when(resource) ?? {};
      const { start } = when;
      if (start === undefined) this.#undated.push(resource);
      // The search has applied the bounds where the type has a parameter; before is only a bound of the search.
      else if (this.type.parameter !== undefined || isWithin(when, this.#options))
        this.dated.push({ resource, when, start });
      if (start !== undefined) this.#horizon = Math.min(this.#horizon, local ? start : endOf(when));
    }
    // It would be asked for the same for ever.
    if (next !== undefined && this.#known.size === known)
      throw new Fault('bad_gateway', 'The pages of the clinical server repeat themselves.', {
        service: 'clinical',
      });
    this.#cursor = next;
    if (completeAfter !== undefined) this.#horizon = Math.min(this.#horizon, completeAfter);
    else if (next === undefined) this.#horizon = -Infinity;
  }

  /** Returns the resources without a date; none if dates are bounded. @throws Fault like `more` */
  async undated(): Promise<Resource[]> {
    const { from, to, before } = this.#options;
    if (from !== undefined || to !== undefined) return [];
    while (!this.isWhole) await this.more();
    const { parameter, mayHaveNoDate } = this.type;
    if (before === undefined || parameter === undefined) return this.#undated;
    const params = this.#params(mayHaveNoDate ? [] : [[`${parameter}:missing`, 'true']]);
    const others = await this.#whole(params);
    const found = [...this.#undated, ...others.filter((one) => this.type.when(one)?.start === undefined)];
    return [...new Map(found.map((one) => [one.id, one])).values()];
  }
}
