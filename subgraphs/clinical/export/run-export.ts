import type { ImagingStudy, Resource } from 'fhir/r4.js';
import type { Access, PatientGrant } from '../../../schema/access/access.ts';
import { Fault, toFault } from '../../../schema/fault/fault.ts';
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
import { referencesIn, SharedResources } from '../record/shared-resources.ts';
import { chunksByLength, MAX_IDS_LENGTH } from '../../../schema/fhir/id-chunks.ts';
import type { NdjsonFiles } from './ndjson-files.ts';

/** Resources on one page of a search. */
const PAGE = 500;
/** Patients in one search of a store; a server gets as many as fit into a URL. */
const PATIENTS_TOGETHER = 2_000;
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
}

/** The record, the images, and the place for the answer. */
export interface ExportTools {
  /** Opens the record anew for each page, because a record keeps what it has found. */
  open(access: Access): Clinical;
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
  /** Resources of several patients that were written; others are found with one patient only. */
  readonly #ofSeveral = new Set<string>();
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
      const chunks = searched.length > 0 ? await this.#chunks() : [];
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

  /** Returns the access, in parts whose patients fit into one search. */
  async #chunks(): Promise<Access[]> {
    const { access } = this.#spec;
    const { patients } = access;
    if (patients === 'all') return [access];
    const { local } = await this.#tools.open(access).backend();
    const ids = patients.map(({ id }) => `Patient/${id}`);
    const lengths = local
      ? Array.from({ length: Math.ceil(ids.length / PATIENTS_TOGETHER) }, () => PATIENTS_TOGETHER)
      : chunksByLength(ids, MAX_IDS_LENGTH).map(({ length }) => length);
    let start = 0;
    return lengths.map((length) => {
      const part: PatientGrant[] = patients.slice(start, start + length);
      start += length;
      return { ...access, patients: part };
    });
  }

  async #records(access: Access, progress: (share: number) => void): Promise<void> {
    const { types, filter } = this.#spec;
    const sections = sectionsOf(await this.#tools.open(access).backend(), types.searched, filter);
    for (const [index, section] of sections.entries()) {
      progress(index / sections.length);
      this.#at = section.type;
      for await (const { clinical, resources } of this.#pages(access, section)) {
        for (const resource of resources) await this.#writeRecord(clinical, resource);
      }
    }
  }

  async *#pages(
    access: Access,
    { type, params }: Pick<Section, 'type' | 'params'>,
  ): AsyncGenerator<{ clinical: Clinical; resources: Resource[] }> {
    const followed = new Set<string>();
    for (let cursor: string | undefined; ;) {
      this.#tools.signal.throwIfAborted();
      const clinical = this.#tools.open(access);
      const { resources, next } = await clinical.search(type, { params, count: PAGE, strict: true, cursor });
      yield { clinical, resources };
      if (next === undefined) return;
      if (followed.has(next)) throw new Fault('bad_gateway', 'the pages of the record lead in a circle.');
      followed.add(next);
      cursor = next;
    }
  }

  async #writeRecord(clinical: Clinical, resource: Resource): Promise<void> {
    const { resourceType, id } = resource;
    const references = [...referencesIn(resource)].map(parseReference);
    const patients = new Set(references.filter((one) => one?.type === 'Patient').map((one) => one!.id));
    if (patients.size > 1) {
      const key = `${resourceType}/${id}`;
      if (this.#ofSeveral.has(key)) return;
      this.#ofSeveral.add(key);
    }
    this.#shared.given(resource);
    await this.#shared.note(clinical, resource);
    await this.#tools.output.add(resource);
  }

  async #writeShared(resource: Resource): Promise<void> {
    this.#tools.signal.throwIfAborted();
    this.#at = resource.resourceType;
    const { since } = this.#spec.filter;
    if (since === undefined || mayBeIn(resource.meta?.lastUpdated, since))
      await this.#tools.output.add(resource);
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
    for await (const { resources } of this.#pages(access, { type: 'Patient', params: [] })) {
      yield resources.map(({ id }) => id!);
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
    await this.#tools.output.add(endpoint);
  }

  async #writeStudy(study: ImagingStudy): Promise<void> {
    const { since } = this.#spec.filter;
    if (this.#studies.has(study.id!)) return;
    this.#studies.add(study.id!);
    if (since === undefined || mayBeIn(study.meta?.lastUpdated, since)) await this.#tools.output.add(study);
  }
}
