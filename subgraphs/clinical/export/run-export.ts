import type { ImagingStudy, Resource } from 'fhir/r4.js';
import type { Access } from '../../../schema/access/access.ts';
import { Fault, toFault } from '../../../schema/fault/fault.ts';
import { parseFhirJson, writeFhirJson } from '../../../schema/fhir/decimal.ts';
import { partOf } from '../../../schema/fhir/elements.ts';
import { parseReference } from '../../../schema/fhir/fhir.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { Clinical } from '../record/clinical.ts';
import {
  mayBeIn,
  sectionsOf,
  type DataFilter,
  type Section,
  type WantedTypes,
} from '../record/patient-data.ts';
import type { PatientImages } from '../record/study-images.ts';
import { referencesInText } from '../../../schema/fhir/references-in-text.ts';
import { SharedResources } from '../record/shared-resources.ts';
import type { SearchParams } from '../search/search-params.ts';
import { turns } from '../../../schema/process/event-loop.ts';
import type { NdjsonFiles } from './ndjson-files.ts';
import { accessInParts, searchPages, type OpenRecord } from './whole-search.ts';

/** Shared resources that are read together. */
const READ_TOGETHER = 100;

/** The data of one export. */
export interface ExportSpec {
  tenant: Tenant;
  /** The caller's access to the patients of the export alone. */
  access: Access;
  /** The caller's whole access, for images: these are asked for patient by patient. */
  caller: Access;
  types: WantedTypes;
  filter: DataFilter;
  /** For each type the elements that are wanted besides the mandatory ones; undefined: all. */
  elements?: ReadonlyMap<string, readonly string[]>;
}

/** The record, the images, and the place for the answer. */
export interface ExportTools {
  open: OpenRecord;
  images: PatientImages;
  output: NdjsonFiles;
  signal: AbortSignal;
  /** @param done share of the work, from 0 to 1 */
  onProgress(done: number): void;
}

/**
 * Writes the data of all patients in reach, page by page: exactly what searches by the same token find. Whatever fails
 * ends the export: there is no incomplete one.
 * @returns number of patients
 * @throws Fault that names the type at which the export failed
 */
export async function runExport(spec: ExportSpec, tools: ExportTools): Promise<number> {
  return new ExportRun(spec, tools).run();
}

class ExportRun {
  readonly #spec: ExportSpec;
  readonly #tools: ExportTools;
  readonly #shared: SharedResources;
  /** Written resources that another search may find too: those of several patients, and of types with several queries. */
  readonly #written = new Set<string>();
  readonly #studies = new Set<string>();
  #hasEndpoint = false;
  /** The type that is being written. */
  #at = 'Patient';

  constructor(spec: ExportSpec, tools: ExportTools) {
    this.#spec = spec;
    this.#tools = tools;
    this.#shared = new SharedResources(spec.types.shared);
  }

  async run(): Promise<number> {
    const { types, access } = this.#spec;
    try {
      const { searched, shared, imaging } = types;
      const chunks = searched.length > 0 ? await accessInParts(access, this.#tools.open) : [];
      const parts = chunks.length + (shared.size > 0 ? 1 : 0) + (imaging.size > 0 ? 1 : 0);
      let done = 0;
      const progress = (share: number) => this.#tools.onProgress((done + share) / parts);
      for (const chunk of chunks) {
        await this.#records(chunk, progress);
        done++;
      }
      for await (const part of this.#shared.read(READ_TOGETHER, () => this.#tools.open(access))) {
        for (const resource of part) await this.#writeShared(resource);
      }
      if (shared.size > 0) done++;
      return await this.#images(progress);
    } catch (error) {
      this.#tools.signal.throwIfAborted();
      const fault = toFault(error);
      throw new Fault(fault.code, `${this.#at}: ${fault.message}`, { ...fault.details, cause: error });
    }
  }

  async #records(access: Access, progress: (share: number) => void): Promise<void> {
    const { types, filter } = this.#spec;
    const sections = sectionsOf(await this.#tools.open(access).backend(), types.searched, filter);
    for (const [index, section] of sections.entries()) {
      progress(index / sections.length);
      this.#at = section.type;
      for await (const { clinical, texts } of this.#pages(access, section)) {
        await this.#writeRecords(clinical, section.type, texts);
      }
    }
  }

  #pages(access: Access, section: Pick<Section, 'type' | 'params'>) {
    const { open, signal } = this.#tools;
    return searchPages(() => open(access), section, signal);
  }

  /** Writes the resources of a page as they are. Few of them are parsed. */
  async #writeRecords(clinical: Clinical, type: string, texts: readonly string[]): Promise<void> {
    const isShared = this.#shared.has(type);
    const { queries } = this.#spec.filter;
    const isFoundTwice = (queries?.get(type)?.length ?? 0) > 1;
    const lines: string[] = [];
    const pause = turns();
    for (const text of texts) {
      const later = pause();
      if (later) await later;
      const targets = [...referencesInText(text)].map(parseReference);
      const patients = new Set(targets.filter((one) => one?.type === 'Patient').map((one) => one!.id));
      if ((isFoundTwice || patients.size > 1) && this.#isWritten(text)) continue;
      if (isShared || this.#shared.mayMiss(targets)) {
        const resource = JSON.parse(text) as Resource;
        this.#shared.given(resource);
        await this.#shared.note(clinical, resource);
      }
      lines.push(this.#spec.elements ? this.#part(parseFhirJson(text) as Resource) : text);
    }
    await this.#tools.output.addLines(type, lines);
  }

  /** Returns the line of a resource, with the elements that are wanted. */
  #part(resource: Resource): string {
    const elements = this.#spec.elements?.get(resource.resourceType);
    return writeFhirJson(elements ? partOf(resource, { elements }) : resource);
  }

  /** Returns true for a resource that was found before. */
  #isWritten(text: string): boolean {
    const { resourceType, id } = JSON.parse(text) as Resource;
    const name = `${resourceType}/${id}`;
    const isWritten = this.#written.has(name);
    this.#written.add(name);
    return isWritten;
  }

  async #writeShared(resource: Resource): Promise<void> {
    this.#tools.signal.throwIfAborted();
    this.#at = resource.resourceType;
    await this.#writeRead(resource);
  }

  /** Writes a resource that no search has found, if it is wanted. */
  async #writeRead(resource: Resource): Promise<void> {
    const { access, filter } = this.#spec;
    const { resourceType: type, meta } = resource;
    if (!mayBeIn(meta?.lastUpdated, filter.since, filter.until)) return;
    const queries = filter.queries?.get(type);
    if (queries && !(await isFound(this.#tools.open(access), resource, queries))) return;
    await this.#tools.output.addLines(type, [this.#part(resource)]);
  }

  /** @returns number of patients */
  async #images(progress: (share: number) => void): Promise<number> {
    const { access, types } = this.#spec;
    const wanted = types.imaging.size > 0;
    let count = 0;
    for await (const ids of this.#patientIds()) {
      for (const id of ids) {
        if (access.patients !== 'all') progress(count / access.patients.length);
        count++;
        if (wanted) await this.#imagesOf(id);
      }
    }
    return count;
  }

  async *#patientIds(): AsyncGenerator<readonly string[]> {
    const { access, types } = this.#spec;
    if (access.patients !== 'all') return yield access.patients.map(({ id }) => id);
    this.#at = 'Patient';
    if (types.imaging.size === 0 && types.searched.length === 0) return;
    for await (const { texts } of this.#pages(access, { type: 'Patient', params: [] })) {
      yield texts.map((text) => (JSON.parse(text) as Resource).id!);
    }
  }

  async #imagesOf(patientId: string): Promise<void> {
    const { tenant, caller, types } = this.#spec;
    this.#tools.signal.throwIfAborted();
    this.#at = 'ImagingStudy';
    const { studies, endpoint, failed } = await this.#tools.images(tenant, caller, patientId);
    if (failed[0]) throw failed[0];
    for (const study of studies) if (types.imaging.has('ImagingStudy')) await this.#writeStudy(study);
    if (!endpoint || this.#hasEndpoint || !types.imaging.has('Endpoint')) return;
    this.#hasEndpoint = true;
    await this.#writeRead(endpoint);
  }

  async #writeStudy(study: ImagingStudy): Promise<void> {
    if (this.#studies.has(study.id!)) return;
    this.#studies.add(study.id!);
    await this.#writeRead(study);
  }
}

/** Returns true when one of the queries finds a resource. */
async function isFound(
  clinical: Clinical,
  resource: Resource,
  queries: readonly SearchParams[],
): Promise<boolean> {
  for (const params of queries) {
    const found = await clinical.matching(resource.resourceType, [resource], params);
    if (found?.length) return true;
  }
  return false;
}
