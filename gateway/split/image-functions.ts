import type { Endpoint, ImagingStudy, Observation } from 'fhir/r4.js';
import type { Access, PatientIdentity } from '../../schema/access/access.ts';
import type { RecordOperation } from '../../schema/access/audit.ts';
import { Fault } from '../../schema/fault/fault.ts';
import type { Parameters } from '../../schema/fhir/search/search-request.ts';
import type { StudyKeys, StudyLinks } from '../../schema/fhir/study-match.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import type { Abortable } from '../../schema/process/request-end.ts';
import type { AskedPicture, RenderPicture } from '../mcp/tool-call.ts';
import { Failing } from '../self-test/check.ts';
import { imageFailure } from '../self-test/failure-reasons.ts';
import type { OpenStudies } from '../smart/capability/wado-links.ts';
import type { FunctionCaller, ServedFunction } from './functions.ts';
import type { SubgraphLink } from './link.ts';
import { nobody } from './record-functions.ts';
import { fromWire, toWire, type WireFault } from './wire.ts';

/** Questions of other processes to the images: those of the clinical record for its joins, the gateway's for authorization. */

type Partly<T, One = Fault> = T & { failed: readonly One[] };
type Wanted = ReadonlyMap<string, ReadonlySet<string>>;
type Found = ReadonlyMap<string, ReadonlyMap<string, string>>;
type Request = [tenant: Tenant, access: Access, over?: Abortable, audit?: RecordOperation];
type Priors = { modality?: readonly string[] | null; bodySite?: readonly string[] | null };

interface StudyOfPatient extends StudyKeys {
  started?: string;
  description?: string;
  modalities: readonly string[];
}

interface StudyImages {
  studiesOf(patientId: string): Promise<Partly<{ studies: readonly StudyOfPatient[] }>>;
  patientsWith(params: Parameters, among?: readonly string[]): Promise<readonly string[]>;
  measurements(studyUid: string): Promise<Partly<{ observations: readonly Observation[] }>>;
  priors(links: StudyLinks, args: Priors): Promise<Partly<{ priors: readonly StudyKeys[] }>>;
}

type OfPatient<One = Fault> = Partly<{ studies: readonly ImagingStudy[]; endpoint?: Endpoint }, One>;

interface SentPicture extends Omit<AskedPicture, 'query'> {
  query: string;
}

/** Whether a source could be tried, or why it does not work. */
type CheckedSource = { tried: boolean } | { failing: string };

/** The imaging subgraph of this process. */
export interface ServedImages {
  open: OpenStudies;
  studyImages(...request: Request): StudyImages;
  studiesOfObjects(tenant: Tenant, access: Access, wanted: Wanted): Promise<Found>;
  imagesOfPatient(tenant: Tenant, access: Access, patientId: string): Promise<OfPatient>;
  studyOwner(tenant: Tenant, studyUid: string): Promise<string | undefined>;
  rendered: RenderPicture;
  checks: {
    checkSource(tenant: Tenant, index: number, signal: AbortSignal): Promise<boolean>;
    awaySince(tenant: Tenant, index: number): Promise<number | undefined>;
    countRecordNumbers(tenant: Tenant, index: number, identity: PatientIdentity): Promise<number>;
  };
}

const partlyToWire = <T>(found: Partly<T>): Partly<T, WireFault> => ({
  ...found,
  failed: found.failed.map(toWire),
});
const partlyFromWire = <T>(found: Partly<T, WireFault>): Partly<T> => ({
  ...found,
  failed: found.failed.map(fromWire),
});

/** Returns the functions that the imaging process serves. */
export function imageFunctions(imaging: ServedImages): Record<string, ServedFunction> {
  const imagesOf = ({ tenant, access, signal, audit }: FunctionCaller) =>
    imaging.studyImages(tenant, access, { signal }, audit);
  return {
    studiesOf: async (caller, { patientId }: { patientId: string }) =>
      partlyToWire(await imagesOf(caller).studiesOf(patientId)),
    patientsWith: (caller, { params, among }: { params: Parameters; among?: readonly string[] }) =>
      imagesOf(caller).patientsWith(params, among),
    measurements: async (caller, { studyUid }: { studyUid: string }) =>
      partlyToWire(await imagesOf(caller).measurements(studyUid)),
    priors: async (caller, { links, args }: { links: StudyLinks; args: Priors }) =>
      partlyToWire(await imagesOf(caller).priors(links, args)),
    async studiesOfObjects({ tenant, access }, { wanted }: { wanted: readonly [string, string[]][] }) {
      const sets = new Map(wanted.map(([patient, uids]) => [patient, new Set(uids)]));
      const found = await imaging.studiesOfObjects(tenant, access, sets);
      return [...found].map(([patient, studies]) => [patient, [...studies]]);
    },
    imagesOfPatient: async ({ tenant, access }, { patientId }: { patientId: string }) =>
      partlyToWire(await imaging.imagesOfPatient(tenant, access, patientId)),
    async find({ tenant, access, signal, audit }, { studyUid }: { studyUid: string }) {
      const opened = imaging.open(tenant, access, { signal }, audit);
      const found = await opened.find(studyUid, { detail: 'study' });
      return found && { record: { patientId: found.record?.patientId } };
    },
    studyOwner: ({ tenant }, { studyUid }: { studyUid: string }) => imaging.studyOwner(tenant, studyUid),
    async rendered(caller, { query, ...asked }: SentPicture) {
      const picture = await imaging.rendered(caller, { ...asked, query: new URLSearchParams(query) });
      const { headers, body } = picture;
      return { headers, ...(body instanceof Uint8Array && { body: Buffer.from(body).toString('base64') }) };
    },
    // The cause of a fault does not leave this process, so the reason is put into words here.
    checkSource: ({ tenant, signal }, { index }: { index: number }): Promise<CheckedSource> =>
      imaging.checks.checkSource(tenant, index, signal).then(
        (tried) => ({ tried }),
        (error: unknown) => ({ failing: imageFailure(tenant.images[index]!, error) }),
      ),
    awaySince: ({ tenant }, { index }: { index: number }) => imaging.checks.awaySince(tenant, index),
    countRecordNumbers: ({ tenant }, { index, identity }: { index: number; identity: PatientIdentity }) =>
      imaging.checks.countRecordNumbers(tenant, index, identity),
  };
}

/** @throws Failing: it is the process that is away, and not the source. */
function processAway(error: unknown): never {
  throw error instanceof Fault ? new Failing('the imaging process (IMAGING_URL) does not answer') : error;
}

/** The images of another process. */
export function remoteImages(link: SubgraphLink): ServedImages {
  return {
    open: (...[tenant, access, over, audit]) => ({
      find: (studyUid) => link.call('find', { tenant, access, signal: over?.signal, audit }, { studyUid }),
    }),
    studyImages(...[tenant, access, over, audit]) {
      const caller = { tenant, access, signal: over?.signal, audit };
      const ask = async <T>(name: string, asked: object): Promise<Partly<T>> =>
        partlyFromWire(await link.call<Partly<T, WireFault>>(name, caller, asked));
      return {
        studiesOf: (patientId) => ask('studiesOf', { patientId }),
        patientsWith: (params, among) => link.call('patientsWith', caller, { params, among }),
        measurements: (studyUid) => ask('measurements', { studyUid }),
        priors: (links, args) => ask('priors', { links, args }),
      };
    },
    async studiesOfObjects(tenant, access, wanted) {
      const sets = [...wanted].map(([patient, uids]) => [patient, [...uids]]);
      const asked = { wanted: sets };
      const found = await link.call<[string, [string, string][]][]>(
        'studiesOfObjects',
        { tenant, access },
        asked,
      );
      return new Map(found.map(([patient, studies]) => [patient, new Map(studies)]));
    },
    imagesOfPatient: async (tenant, access, patientId) =>
      partlyFromWire(
        await link.call<OfPatient<WireFault>>('imagesOfPatient', { tenant, access }, { patientId }),
      ),
    studyOwner: (tenant, studyUid) =>
      link.call('studyOwner', { tenant, access: nobody(tenant) }, { studyUid }),
    async rendered({ tenant, access, signal, audit }, { query, ...asked }) {
      const sent = { ...asked, query: String(query) };
      const picture = await link.call<{ headers: Record<string, string>; body?: string }>(
        'rendered',
        { tenant, access, signal, audit },
        sent,
      );
      const { headers, body } = picture;
      return { headers, body: body === undefined ? undefined : Buffer.from(body, 'base64') };
    },
    checks: {
      async checkSource(tenant, index, signal) {
        const caller = { tenant, access: nobody(tenant), signal };
        const checked = await link.call<CheckedSource>('checkSource', caller, { index }).catch(processAway);
        if ('failing' in checked) throw new Failing(checked.failing);
        return checked.tried;
      },
      awaySince: (tenant, index) => link.call('awaySince', { tenant, access: nobody(tenant) }, { index }),
      countRecordNumbers: (tenant, index, identity) =>
        link.call('countRecordNumbers', { tenant, access: nobody(tenant) }, { index, identity }),
    },
  };
}
