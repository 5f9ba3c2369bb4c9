import { createHash } from 'node:crypto';
import { keepPromise, type BoundedCache } from '../../../schema/cache/bounded-cache.ts';
import { requirePatient, type Access, type PatientGrant } from '../../../schema/access/access.ts';
import { Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault, type FaultCode } from '../../../schema/fault/fault.ts';
import type { FaultLog } from '../../../schema/fault/log-fault.ts';
import { patientOutOfReach } from '../../../schema/fault/refusals.ts';
import type { ImagesConfig, Tenant } from '../../../schema/tenant/tenant.ts';
import { andThen, type Awaitable } from '../../../schema/process/awaitable.ts';
import { belongsTo, contradictionIn, hasIdentifier, reachOf, type Reach } from './ownership.ts';
import { statedIdentifier } from '../facts/identifiers.ts';
import { keptNumbers, medicalRecordNumbers, type EvaluatePath } from '../sources/mrn-paths.ts';
import { grouped } from '../facts/study-rows.ts';
import type { TenantImages } from '../sources/open.ts';
import type { PatientDirectory } from './patient-directory.ts';

/** Patients in reach from which on they are looked up by their numbers. */
const MANY_PATIENTS = 16;

/** Faults of a clinical base that does not say whether it has a patient. */
const NO_ANSWER: readonly FaultCode[] = [
  'too_many_requests',
  'internal',
  'bad_gateway',
  'unavailable',
  'gateway_timeout',
];

export interface CallerReachOptions {
  tenant: Tenant;
  access: Access;
  directory: PatientDirectory;
  /** Accession numbers of patients, as the clinical base gave them to callers. Each is kept for a minute at most. */
  accessionNumbers: BoundedCache<Promise<readonly string[]>>;
  log: FaultLog;
}

/** Logs a UID that studies of different patients share: they cannot be read by it (IA-24). */
export function logCrossed(
  { tenant, log }: Pick<CallerReachOptions, 'tenant' | 'log'>,
  studyUid: string,
): void {
  log.warn({ tenant: tenant.key, studyUid }, 'withheld: studies of different patients have this UID');
}

const ownersByNumber = new WeakMap<readonly Reach[], ReadonlyMap<string, readonly Reach[]>>();

/** Returns those of some reaches to which a row can belong: with thousands of patients, each row has few of them. */
function possibleOwners(reaches: readonly Reach[], row: DicomJson): readonly Reach[] {
  if (reaches.length < MANY_PATIENTS || reaches.some(({ by }) => by !== 'mrn')) return reaches;
  let owners = ownersByNumber.get(reaches);
  if (!owners) {
    const numbered = reaches.flatMap((reach) =>
      (reach.by === 'mrn' ? reach.keys : []).map(({ value }) => ({ value, reach })),
    );
    const byNumber = grouped(numbered, ({ value }) => value);
    owners = new Map([...byNumber].map(([value, list]) => [value, list.map(({ reach }) => reach)]));
    ownersByNumber.set(reaches, owners);
  }
  return owners.get(statedIdentifier(row, Tag.PatientID)) ?? [];
}

/** The patients and studies that one request may see in one image source (IA-6 to IA-9), and the owner of a study. */
export class CallerReach {
  readonly #options: CallerReachOptions;
  readonly #config: ImagesConfig;
  readonly #evaluate: EvaluatePath;
  readonly #owners = new Map<string, Promise<string | Fault | undefined>>();
  readonly #named = new Map<string, Awaitable<readonly Reach[] | undefined>>();
  #own: Promise<readonly Reach[]> | undefined;

  constructor(options: CallerReachOptions, { config, mrnPaths }: Pick<TenantImages, 'config' | 'mrnPaths'>) {
    this.#options = options;
    this.#config = config;
    let evaluate: EvaluatePath | undefined;
    this.#evaluate = (...asked) => (evaluate ??= mrnPaths())(...asked);
  }

  /**
   * Returns the reach of every granted patient; undefined when the Access reaches all patients.
   * @throws Fault `forbidden` for an Access that names no patient
   */
  async all(): Promise<readonly Reach[] | undefined> {
    const { patients } = this.#options.access;
    if (patients === 'all') return undefined;
    if (patients.length === 0) {
      throw new Fault('forbidden', 'The token names no patient, so it gives access to no images.');
    }
    return (this.#own ??= Promise.all(patients.map(async (grant) => this.#reachOf(grant))));
  }

  /** As `all`, for objects named by UID. An Access without a patient reaches nothing (IA-7: as if absent). */
  async byUid(): Promise<readonly Reach[] | undefined> {
    const { patients } = this.#options.access;
    return patients !== 'all' && patients.length === 0 ? [] : this.all();
  }

  /**
   * As `all`, for one patient whom the request names. Undefined when all studies are theirs; empty when the clinical
   * base does not know them.
   * @throws Fault `forbidden` for a patient out of reach (IA-7)
   */
  of(patientId: string): Awaitable<readonly Reach[] | undefined> {
    let reach = this.#named.get(patientId);
    if (!reach) this.#named.set(patientId, (reach = this.#reachOfNamed(patientId)));
    return reach;
  }

  /** As `of`, for several patients. @throws Fault `forbidden` if one of them is out of reach */
  async ofSeveral(patientIds: readonly string[]): Promise<readonly Reach[] | undefined> {
    const { patients } = this.#options.access;
    if (patients === 'all') {
      const reaches = await Promise.all(patientIds.map((id) => this.of(id)));
      return reaches.every((one) => one !== undefined) ? reaches.flat() : undefined;
    }
    // There may be thousands of both.
    const wanted = new Set(patientIds);
    const granted = patients.filter(({ id }) => wanted.has(id));
    if (new Set(granted.map(({ id }) => id)).size < wanted.size) throw patientOutOfReach();
    return Promise.all(granted.map((grant) => this.#reachOf(grant)));
  }

  #reachOfNamed(patientId: string): Awaitable<readonly Reach[] | undefined> {
    const { tenant, access, directory } = this.#options;
    const grant = requirePatient(access, patientId);
    const alone = (granted: PatientGrant) => andThen(this.#reachOf(granted), (reach) => [reach]);
    if (access.patients !== 'all') return alone(grant);
    if (this.#config.lookup === 'all-studies-on-server') return undefined;
    return andThen(directory.read(tenant, access, patientId), (identity) =>
      identity ? alone({ ...grant, identity }) : [],
    );
  }

  #reachOf(grant: PatientGrant): Awaitable<Reach> {
    return andThen(this.#numbersOf(grant), (numbers) => reachOf(grant, this.#config, numbers));
  }

  /** Returns the numbers of a patient by which the source finds studies. */
  #numbersOf({ id, identity }: PatientGrant): Awaitable<readonly string[]> {
    const { lookup, mrn } = this.#config;
    if (lookup === 'studies-by-accession') return this.#accessionNumbersOf(id);
    if (lookup !== 'studies-by-mrn' || !identity) return [];
    return keptNumbers(identity, mrn) ?? medicalRecordNumbers(identity, mrn, this.#evaluate);
  }

  /** Asks once for all requests with the same token, because a viewer asks for many frames. */
  #accessionNumbersOf(patientId: string): Promise<readonly string[]> {
    const { tenant, access, directory, accessionNumbers } = this.#options;
    const { client, user, token = '' } = access;
    const bearer = createHash('sha256').update(token).digest('base64url');
    const key = JSON.stringify([tenant.cacheKey, patientId, client, user, bearer]);
    const known = accessionNumbers.get(key);
    return known ?? keepPromise(accessionNumbers, key, directory.accessionNumbers(tenant, access, patientId));
  }

  /** Tells whether a row belongs to one of these reaches. Logs a birth date or issuer that contradicts (DW-21). */
  includes(reaches: readonly Reach[] | undefined, row: DicomJson): boolean {
    if (!reaches) return true;
    const config = this.#config;
    const possible = possibleOwners(reaches, row);
    if (possible.some((reach) => belongsTo(row, reach, config))) return true;
    const contradiction = contradictionIn(row, possible, config);
    if (contradiction) {
      const { tenant, log } = this.#options;
      const studyUid = text(row, Tag.StudyInstanceUID);
      log.warn({ tenant: tenant.key, studyUid }, `withheld: ${contradiction} contradicts the record`);
    }
    return false;
  }

  /** Tells whether all rows of one study belong to these reaches. Logs when only some do. */
  includesAll(reaches: readonly Reach[] | undefined, rows: readonly DicomJson[]): boolean {
    const own = rows.filter((row) => this.includes(reaches, row));
    const isCrossed = own.length > 0 && own.length < rows.length;
    if (isCrossed) logCrossed(this.#options, text(own[0]!, Tag.StudyInstanceUID) ?? '');
    return own.length === rows.length;
  }

  /** Returns the logical ids of the granted patients who own these rows. */
  ownersOf(rows: readonly DicomJson[], reaches: readonly Reach[]): string[] {
    const config = this.#config;
    const own = reaches.filter((reach) => rows.some((row) => belongsTo(row, reach, config)));
    return own.map(({ grant }) => grant.id);
  }

  /**
   * Returns the logical id of the patient who owns the study; undefined when the clinical base does not say it to this
   * caller, its Fault when it did not answer.
   */
  ownerOf(study: DicomJson, reaches: readonly Reach[] | undefined): Promise<string | Fault | undefined> {
    const config = this.#config;
    const possible = reaches && possibleOwners(reaches, study);
    const granted = possible?.find((reach) => belongsTo(study, reach, config))?.grant.id;
    const mrn = statedIdentifier(study, Tag.PatientID);
    // A PatientID says nothing where the tenant does not find patients by it.
    const unsaid =
      this.#options.access.patients !== 'all' || config.lookup === 'studies-by-accession' || !mrn;
    if (granted !== undefined || unsaid) {
      return Promise.resolve(granted);
    }
    let owner = this.#owners.get(mrn);
    if (!owner) this.#owners.set(mrn, (owner = this.#findPatient(mrn)));
    return owner;
  }

  /**
   * Returns the logical id of the patient in reach who has this identifier.
   * @throws Fault `forbidden` when no patient in reach has it
   */
  async patientByIdentifier(value: string, system?: string): Promise<string> {
    const { tenant, access, directory } = this.#options;
    const id =
      access.patients === 'all'
        ? await directory.find(tenant, access, value, system)
        : access.patients.find(({ identity }) => hasIdentifier(identity, value, system))?.id;
    if (id !== undefined) return id;
    throw patientOutOfReach();
  }

  async #findPatient(mrn: string): Promise<string | Fault | undefined> {
    const { tenant, access, directory } = this.#options;
    try {
      return await directory.find(tenant, access, mrn);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      // The images are given without their patient.
      return NO_ANSWER.includes(error.code) ? error : undefined;
    }
  }
}
