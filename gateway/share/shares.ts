import { createHmac, hkdfSync, randomBytes } from 'node:crypto';
import type { Access, PatientGrant } from '../../schema/access/access.ts';
import type { Permission } from '../../schema/access/scopes.ts';
import { Fault } from '../../schema/fault/fault.ts';
import { noSuchObject } from '../../schema/fault/refusals.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { entryName } from '../state/redis.ts';
import type { Sealer } from '../state/sealed.ts';
import { Passcodes } from './passcodes.ts';
import { cannotShare } from './shareable.ts';
import type { ShareState, StoredShare } from './state/share-state.ts';

/** The person who shares: only who is the same user, for the same patient, lists and revokes a link. */
export interface Owner {
  patient: string;
  /** `fhirUser` or `sub`. */
  user: string;
}

/** Purpose and owner of a link, as they are sealed in the state. */
export interface ShareDetails extends Owner {
  /** `recordKey` of the tenant: in another record its ids would name others. */
  record: string;
  /** Those of the owner's token, to ask later if all is still shown. */
  permissions: readonly Permission[];
  /** Study Instance UIDs. */
  studies: readonly string[];
  /** `Type/id`. */
  resources: readonly string[];
  /** Name of the capability. */
  capability: string;
  label?: string;
  /** A result of `Passcodes.hash`. */
  passcode?: string;
  files: number;
  /** Seconds since the epoch. */
  expires: number;
}

interface Opening {
  /** Seconds since the epoch. */
  at: number;
  recipient: string;
}

/** A link that has not expired. */
export interface Share extends StoredShare {
  /** Names the link without giving it: the begin of its hash. */
  id: string;
  read: ShareDetails;
  opened?: Opening;
}

export interface SharesDeps {
  /** Opens the state, when the first link is asked for. */
  openState(): ShareState;
  sealer: Sealer;
  passcodes?: Passcodes;
  /** SEALING_KEY: the first key seals, all keys open. */
  secrets: readonly string[];
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Returns the patient as images are found by it; undefined for one that the record does not have. */
  grantOf(tenant: Tenant, patientId: string): Promise<PatientGrant | undefined>;
  /** Tells if a resource can be read with this Access, and is not withdrawn. */
  isShown(tenant: Tenant, access: Access, resource: string): Promise<boolean>;
  /** Tells if a study can be read with this Access. */
  isStudyShown(tenant: Tenant, access: Access, studyUid: string): Promise<boolean>;
}

/** Links of one owner that have not expired. */
export const MOST_LINKS = 20;
/** Wrong passcodes until a link is locked. */
const TRIES = 5;
/** Seconds for which images answer after an opening. */
const AFTER_OPENING = 12 * 3600;
/** Seconds for which the address of a file works, once. */
const TICKET_SECONDS = 60;
const ACCESS_SECONDS = 60;

/** 256 random bits as 43 characters. */
export const randomSecret = (): string => randomBytes(32).toString('base64url');

/** Returns the same fault for a link that is unknown, revoked, expired, used up or locked, or that has a hidden part. */
export const noSuchLink = (): Fault =>
  new Fault('not_found', 'This link does not exist or has ended. Ask the person who sent it for a new one.');

/** SMART Health Links (IA-36): makes them, opens them, and says what they give. Use one per process. */
export class Shares {
  readonly passcodes: Passcodes;
  readonly #deps: SharesDeps;
  readonly #ownerKeys: readonly Buffer[];
  #opened: ShareState | undefined;

  constructor(deps: SharesDeps) {
    this.#deps = deps;
    this.passcodes = deps.passcodes ?? new Passcodes();
    const info = 'smart-imaging-gateway owner of a link';
    this.#ownerKeys = deps.secrets.map((secret) => Buffer.from(hkdfSync('sha256', secret, '', info, 32)));
  }

  /** Milliseconds since the epoch. */
  get now(): number {
    return this.#deps.now();
  }

  /** Opens the state: what has expired is removed from then on. */
  begin(): void {
    this.#opened ??= this.#deps.openState();
  }

  close(): void {
    this.#opened?.close();
  }

  get #state(): ShareState {
    return (this.#opened ??= this.#deps.openState());
  }

  /** Returns the links of an owner. */
  async ofOwner(tenant: Tenant, owner: Owner): Promise<Share[]> {
    const found = await this.#state.ofOwner(this.#ownerNames(tenant, owner));
    const own = found.map((row) => this.#read(tenant, row)).filter((share) => share !== undefined);
    return own.filter(({ read }) => read.patient === owner.patient && read.user === owner.user);
  }

  /**
   * Keeps a link.
   * @param secret the 43 characters; of them and of the capability only hashes are kept
   * @returns its id; undefined when the owner has too many
   */
  async add(
    tenant: Tenant,
    { secret, capability }: { secret: string; capability: string },
    share: Omit<ShareDetails, 'record' | 'capability' | 'files'> & { uses: number; files: readonly string[] },
  ): Promise<string | undefined> {
    const { uses, files, ...rest } = share;
    const [state, { sealer }] = [this.#state, this.#deps];
    const name = linkName(tenant, secret);
    const named = capabilityName(tenant, capability);
    const details = { ...rest, record: tenant.recordKey, capability: named, files: files.length };
    const kept = {
      name,
      capability: named,
      owners: this.#ownerNames(tenant, share),
      details: sealer.seal(JSON.stringify(details satisfies ShareDetails), name),
      uses,
      tries: TRIES,
      files,
      expires: share.expires,
    };
    return (await state.add(kept, MOST_LINKS)) ? idOf(name) : undefined;
  }

  /** Revokes a link of this owner. @throws Fault `not_found` when there is none */
  async revoke(tenant: Tenant, owner: Owner, id: string): Promise<void> {
    const share = (await this.ofOwner(tenant, owner)).find((one) => one.id === id);
    if (!share || !(await this.#state.remove(share.name))) throw noSuchLink();
  }

  /**
   * Opens a link.
   * @returns the link, of which a use was taken; or the tries that are left after a wrong passcode
   * @throws Fault `not_found`, the same after the same time for every link that cannot be opened, `too_many_requests`
   */
  async open(
    tenant: Tenant,
    secret: string,
    { passcode = '', recipient }: { passcode?: string | undefined; recipient: string },
  ): Promise<Share | { triesLeft: number }> {
    const [state, { sealer }] = [this.#state, this.#deps];
    const name = linkName(tenant, secret);
    const compared = await this.passcodes.inTurn(async () => {
      const share = this.#read(tenant, await state.find(name));
      const triesLeft = await state.takeTry(name);
      const hash = share?.read.passcode;
      const isRight = await this.passcodes.matches(passcode, hash);
      if (!share || triesLeft === undefined || share.uses <= 0) throw noSuchLink();
      if (!isRight && hash !== undefined) return { triesLeft };
      await state.giveBackTry(name);
      return share;
    });
    if ('triesLeft' in compared) return compared;
    await this.#requireShown(tenant, compared);
    const opening: Opening = { at: this.now / 1000, recipient };
    const sealed = sealer.seal(JSON.stringify(opening), openingName(name));
    if (!(await state.open(name, sealed))) throw noSuchLink();
    return compared;
  }

  /** Returns a file of a link. @throws Fault `not_found` */
  async file({ name }: Share, index: number): Promise<string> {
    const text = await this.#state.file(name, index);
    if (text === undefined) throw noSuchLink();
    return text;
  }

  /** Returns a path segment below the link that gives a file once, within a minute. */
  async ticket({ name }: Share, index: number): Promise<string> {
    const secret = randomSecret();
    await this.#state.issue(ticketName(name, index, secret), TICKET_SECONDS);
    return `${index}.${secret}`;
  }

  /** Returns the file of a ticket. @throws Fault `not_found` for a ticket that was used, and for a link that has ended */
  async fileOf(tenant: Tenant, secret: string, ticket: string): Promise<{ share: Share; text: string }> {
    const state = this.#state;
    const share = this.#read(tenant, await state.find(linkName(tenant, secret)));
    const [, number, once] = /^(\d{1,3})\.([\w-]{43})$/.exec(ticket) ?? [];
    if (!share || number === undefined || once === undefined) throw noSuchLink();
    const index = Number(number);
    if (!(await state.use(ticketName(share.name, index, once)))) throw noSuchLink();
    await this.#requireShown(tenant, share);
    return { share, text: await this.file(share, index) };
  }

  /**
   * Authorizes a request with the capability of a link in its path. Everything is read again at every request.
   * @throws Fault `not_found`, the same for every reason
   */
  async admit(tenant: Tenant, { params }: { params: unknown }): Promise<Access> {
    const named = params as { capability?: string; studyUid?: string; id?: string };
    const { capability = '', studyUid = named.id } = named;
    const key = capabilityName(tenant, capability);
    const share = this.#read(tenant, await this.#state.ofCapability(key));
    const { opened, read } = share ?? {};
    const isOpen = opened !== undefined && this.now / 1000 < opened.at + AFTER_OPENING;
    if (!share || read?.capability !== key) throw noSuchObject();
    const { code, message } = noSuchObject();
    const refused = new Fault(code, message, { caller: callerOf(share) });
    // It leads to no other study, and to no list of others (IA-23).
    if (!isOpen || studyUid === undefined || !read.studies.includes(studyUid)) throw refused;
    const access = await this.#accessOf(tenant, share);
    if (!access) throw refused;
    return access;
  }

  /** Tells if all that a link would give can be read without the owner's token. */
  async canBeShown(tenant: Tenant, details: Omit<ShareDetails, 'record' | 'capability' | 'files'>) {
    const read = { ...details, record: tenant.recordKey, capability: '', files: 0 };
    return this.#isShown(tenant, { id: '', name: '', details: '', uses: 0, read });
  }

  /** Opens what the state has of a link; undefined for one that this tenant did not make, or that has expired. */
  #read(tenant: Tenant, row: StoredShare | undefined): Share | undefined {
    if (!row || !tenant.share.enabled || cannotShare(tenant) !== undefined) return undefined;
    const { sealer } = this.#deps;
    const text = sealer.open(row.details, row.name);
    if (text === undefined) return undefined;
    const read = JSON.parse(text) as ShareDetails;
    if (read.record !== tenant.recordKey || this.now / 1000 >= read.expires) return undefined;
    const opening = row.opening && sealer.open(row.opening, openingName(row.name));
    const opened = opening ? (JSON.parse(opening) as Opening) : undefined;
    return { ...row, id: idOf(row.name), read, ...(opened && { opened }) };
  }

  /** Returns the right to the studies of a link, of its patient only; undefined without the patient. */
  async #accessOf(tenant: Tenant, share: Pick<Share, 'id' | 'read'>): Promise<Access | undefined> {
    const { patient, studies, expires } = share.read;
    const grant = await this.#deps.grantOf(tenant, patient);
    return (
      grant && {
        tenant: tenant.key,
        record: tenant.recordKey,
        ...callerOf(share),
        patients: [{ ...grant, studies }],
        // As for a patient: who opens it is not known to be a clinician.
        permissions: [{ level: 'patient', type: 'ImagingStudy', interactions: 'rs' }],
        expires: Math.min(expires, this.now / 1000 + ACCESS_SECONDS),
      }
    );
  }

  async #requireShown(tenant: Tenant, share: Share): Promise<void> {
    if (!(await this.#isShown(tenant, share))) throw noSuchLink();
  }

  /** Tells if every study and resource of a link is still shown: one that is withheld or withdrawn closes all of it. */
  async #isShown(tenant: Tenant, share: Share): Promise<boolean> {
    const { isShown, isStudyShown } = this.#deps;
    const ofImages = await this.#accessOf(tenant, share);
    if (!ofImages) return false;
    const { studies: _, ...grant } = (ofImages.patients as readonly PatientGrant[])[0]!;
    const { permissions, studies, resources } = share.read;
    const ofRecord: Access = { ...ofImages, patients: [grant], permissions };
    const shown = await Promise.all([
      ...studies.map((uid) => isStudyShown(tenant, ofImages, uid)),
      ...resources.map((resource) => isShown(tenant, ofRecord, resource)),
    ]);
    return shown.every(Boolean);
  }

  /** The names of an owner, by each key: they cannot be guessed from the state. */
  #ownerNames({ key, recordKey }: Tenant, { patient, user }: Owner): string[] {
    const text = JSON.stringify([key, recordKey, patient, user]);
    return this.#ownerKeys.map(
      (secret) => `share-owner:${createHmac('sha256', secret).update(text).digest('base64url')}`,
    );
  }
}

const linkName = ({ key }: Tenant, secret: string) => entryName('share', key, secret);
const capabilityName = ({ key }: Tenant, capability: string) =>
  entryName('share-capability', key, capability);
const openingName = (name: string) => `${name} opening`;
const ticketName = (name: string, index: number, secret: string) =>
  entryName('share-ticket', name, String(index), secret);
const idOf = (name: string) => `s_${name.slice('share:'.length, 'share:'.length + 22)}`;
const callerOf = ({ id }: Pick<Share, 'id'>) => ({ client: `shl:${id}` });

/** Returns the id by which the audit names a link. */
export const linkId = (tenant: Tenant, secret: string): string => idOf(linkName(tenant, secret));
