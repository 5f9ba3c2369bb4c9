import type { FastifyBaseLogger } from 'fastify';
import { requirePatient, type Access } from '../../schema/access.ts';
import { Tag, text, type DicomJson } from '../../schema/dicom.ts';
import { Fault } from '../../schema/fault.ts';
import type { ImagesConfig, Tenant } from '../../schema/tenant.ts';
import { belongsTo, reachOf, unpadded, type Reach } from './ownership.ts';
import type { Directory, Order } from './studies.ts';

export interface CallerReachOptions {
  tenant: Tenant;
  access: Access;
  directory: Directory;
  log: Pick<FastifyBaseLogger, 'warn'>;
}

/** What the caller of one request reaches in the tenant's images (IA-5 to IA-9), and whose a study is. */
export class CallerReach {
  private readonly options: CallerReachOptions;
  private readonly config: () => ImagesConfig;
  private readonly owners = new Map<string, Promise<string | undefined>>();
  private own: readonly Reach[] | undefined;

  constructor(options: CallerReachOptions, config: () => ImagesConfig) {
    this.options = options;
    this.config = config;
  }

  /**
   * What every granted patient reaches; undefined where the Access reaches all.
   * @throws Fault `forbidden` for an Access that names no patient
   */
  all(): readonly Reach[] | undefined {
    const { patients } = this.options.access;
    if (patients === 'all') return undefined;
    if (patients.length === 0) {
      throw new Fault('forbidden', 'The token names no patient, so that no patient can be served with it.');
    }
    return (this.own ??= patients.map((grant) => reachOf(grant, this.config())));
  }

  /**
   * The same for one patient whom the request names; undefined where all studies are theirs, none where the clinical
   * base does not know them.
   * @throws Fault `forbidden` for one who is out of reach (IA-7)
   */
  async of(patientId: string): Promise<readonly Reach[] | undefined> {
    const { tenant, access, directory } = this.options;
    const config = this.config();
    const grant = requirePatient(access, patientId);
    if (access.patients !== 'all') return [reachOf(grant, config)];
    if (config.lookup === 'all-studies-on-server') return undefined;
    const identity = await directory.read(tenant, access, patientId);
    return identity ? [reachOf({ ...grant, identity }, config)] : [];
  }

  /** Whether a row is of a study that one of these reaches; a birth date that contradicts is logged (DW-21). */
  includes(reaches: readonly Reach[] | undefined, row: DicomJson): boolean {
    if (!reaches) return true;
    const config = this.config();
    if (reaches.some((reach) => belongsTo(row, reach, config))) return true;
    const unmatched = { ...config, matchBirthDate: false };
    if (config.matchBirthDate && reaches.some((reach) => belongsTo(row, reach, unmatched))) {
      const { tenant, log } = this.options;
      const studyUid = text(row, Tag.StudyInstanceUID);
      log.warn({ tenant: tenant.key, studyUid }, 'withheld: birth date contradicts the record');
    }
    return false;
  }

  /** Logical ids of the granted patients whose rows these are. */
  ownersOf(rows: readonly DicomJson[], reaches: readonly Reach[]): string[] {
    const config = this.config();
    const own = reaches.filter((reach) => rows.some((row) => belongsTo(row, reach, config)));
    return own.map(({ grant }) => grant.id);
  }

  /** Logical id of the patient whose the study is; where the clinical base cannot say, nobody is named. */
  ownerOf(study: DicomJson, reaches: readonly Reach[] | undefined): Promise<string | undefined> {
    const config = this.config();
    const granted = reaches?.find((reach) => belongsTo(study, reach, config))?.grant.id;
    const mrn = unpadded(text(study, Tag.PatientID));
    if (granted !== undefined || this.options.access.patients !== 'all' || !mrn) {
      return Promise.resolve(granted);
    }
    let owner = this.owners.get(mrn);
    if (!owner) this.owners.set(mrn, (owner = this.found(mrn)));
    return owner;
  }

  /**
   * Logical id of the patient in reach who has this identifier.
   * @throws Fault `forbidden` when it is nobody in reach
   */
  async patientByIdentifier(value: string, system?: string): Promise<string> {
    const { tenant, access, directory } = this.options;
    const id =
      access.patients === 'all'
        ? await directory.find(tenant, access, value, system)
        : access.patients.find(({ identity }) =>
            identity?.identifier.some((own) => own.value === value && (!system || own.system === system)),
          )?.id;
    if (id !== undefined) return id;
    throw new Fault('forbidden', 'The token does not give access to the patient that was asked for.');
  }

  /** The order of this id; undefined where there is none for this caller. */
  async order(id: string): Promise<Order | undefined> {
    const { tenant, access, directory } = this.options;
    try {
      return await directory.order(tenant, access, id);
    } catch (error) {
      if (error instanceof Fault && error.code === 'not_found') return undefined;
      throw error;
    }
  }

  private async found(mrn: string): Promise<string | undefined> {
    const { tenant, access, directory } = this.options;
    try {
      return await directory.find(tenant, access, mrn);
    } catch (error) {
      if (error instanceof Fault) return undefined;
      throw error;
    }
  }
}
