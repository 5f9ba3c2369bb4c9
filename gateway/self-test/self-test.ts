import type { PatientIdentity } from '../../schema/access/access.ts';
import { Fault } from '../../schema/fault/fault.ts';
import { FHIR_ID } from '../../schema/fhir/fhir.ts';
import type { ImagesConfig, Tenant } from '../../schema/tenant/tenant.ts';
import { identityOf } from '../identity/patient-record.ts';
import type { AuthorizationServer } from '../smart/server/server.ts';
import type { ServedImages } from '../split/image-functions.ts';
import type { peopleOfRecord } from '../smart/server/sign-in/people.ts';
import { isExternal } from '../smart/discovery/ehr-configuration.ts';
import type { UpstreamDeps } from '../smart/token/upstream.ts';
import { Failing, NotTried, runCheck, type Check } from './check.ts';
import { EhrChecks, readPatient } from './ehr-checks.ts';
import { connectionFailure, imageFailure } from './failure-reasons.ts';

/** The result of a tenant's self-test (SM-18). It holds no name, identifier or secret. */
export interface Report {
  tenant: string;
  /** The type in the tenant file. */
  authorization: string;
  /** The types of the image sources. */
  images: string[];
  /** True when nothing failed. */
  ok: boolean;
  checks: Check[];
}

export interface SelfTestDeps extends UpstreamDeps {
  /** Time limit of one check; 10 by default. */
  seconds?: number;
  /** The gateway's own authorization server. */
  own: Pick<AuthorizationServer, 'of' | 'verifyOwnToken'>;
  /** The gateway's own clinical record. */
  record: ReturnType<typeof peopleOfRecord>;
  images: ServedImages['checks'];
}

const CHECK_SECONDS = 10;

export type SelfTest = (tenant: Tenant, patientId?: string) => Promise<Report>;

/**
 * Checks, one after the other, what a request to a tenant depends on (SM-18). It changes nothing, and shows nothing of
 * what it reads. Each check takes at most ten seconds. Image sources are checked at the same time as the rest.
 * @returns a function that throws Fault `invalid_request` for an id that cannot be a Patient's
 */
export function selfTest(deps: SelfTestDeps): SelfTest {
  return async (tenant, patientId) => {
    if (patientId !== undefined && !FHIR_ID.test(patientId)) {
      throw new Fault('invalid_request', 'Name the patient by the id of a Patient resource.');
    }
    const [before, images] = await Promise.all([
      authorizationChecks(deps, tenant, patientId),
      Promise.all(tenant.images.map((config, index) => imageCheck(deps, tenant, config, index))),
    ]);
    const checks = [...before, ...images];
    return {
      tenant: tenant.key,
      authorization: tenant.authorization.type,
      images: tenant.images.map(({ type }) => type),
      ok: checks.every(({ outcome }) => outcome !== 'failed'),
      checks,
    };
  };
}

async function authorizationChecks(
  deps: SelfTestDeps,
  tenant: Tenant,
  patientId: string | undefined,
): Promise<Check[]> {
  const config = tenant.authorization;
  const ehr =
    isExternal(config) || config.type === 'smart-on-fhir-independent'
      ? new EhrChecks(deps, tenant, config)
      : undefined;
  const own = config.type === 'embedded' || config.type === 'smart-on-fhir-independent';
  let identity: PatientIdentity | undefined;

  const discovery = async (signal: AbortSignal): Promise<void> => {
    if (config.type === 'mock') throw noToken();
    await ehr?.discovery(signal);
    // Starts our own server for the tenant: its stored keys may be wrong.
    if (own) await deps.own.of(tenant);
  };
  const clientAssertion = async (signal: AbortSignal): Promise<void> => {
    if (!ehr) throw config.type === 'mock' ? noToken() : ourOwn();
    await ehr.clientAssertion(signal);
  };
  const introspection = async (signal: AbortSignal): Promise<void> => {
    if (config.type === 'mock') throw noToken();
    if (!own) return ehr!.introspection(signal);
    if (await deps.own.verifyOwnToken(tenant, 'self-test-not-a-token')) {
      throw new Failing('our own server says that a made-up token is active');
    }
  };
  const clock = async (): Promise<void> => {
    if (!ehr) throw config.type === 'mock' ? noToken() : ourOwn();
    await ehr.clock();
  };
  const patientRead = async (signal: AbortSignal): Promise<void> => {
    if (ehr) await ehr.patientRead(signal, patientId);
    identity = ehr ? ehr.identity : await ownPatient(deps, tenant, patientId, signal);
  };
  const mrnPath = async (): Promise<void> => {
    const byMrn = tenant.images.flatMap(({ lookup }, index) => (lookup === 'studies-by-mrn' ? [index] : []));
    if (byMrn.length === 0) throw new NotTried('no image source of this tenant finds studies by MRN');
    if (!identity) throw new NotTried('no Patient was read');
    for (const index of byMrn) {
      if ((await deps.images.countRecordNumbers(tenant, index, identity)) > 0) continue;
      throw new Failing(
        `no path in images.mrn gives a value for the Patient that was read; ${identifierKinds(identity)}`,
      );
    }
  };

  const { seconds = CHECK_SECONDS } = deps;
  const checks: Check[] = [];
  const attempts = {
    discovery,
    'client-assertion': clientAssertion,
    introspection,
    clock,
    'patient-read': patientRead,
    'mrn-path': mrnPath,
  };
  for (const [name, attempt] of Object.entries(attempts))
    checks.push(await runCheck(name, seconds, attempt, failure));
  return checks;
}

/** Says what kinds of identifiers a Patient has, without their values. */
function identifierKinds({ identifier }: PatientIdentity): string {
  if (identifier.length === 0) return 'it has no identifier';
  const kinds = identifier.map(({ type, system }) => type?.coding?.[0]?.code ?? system ?? 'none');
  return kinds.every((kind) => kind === 'none')
    ? 'its identifiers have neither type nor system'
    : `types or systems of its identifiers: ${[...new Set(kinds)].join(', ')}`;
}

/** Reads a Patient of a tenant whose record needs no token of an EHR. */
async function ownPatient(
  { record, ...outside }: SelfTestDeps,
  tenant: Tenant,
  patientId: string | undefined,
  signal: AbortSignal,
): Promise<PatientIdentity> {
  const { authorization, clinical } = tenant;
  if (authorization.type === 'mock' && authorization.patient) {
    const { patient } = authorization;
    const identity = identityOf({ ...patient }, patientId ?? patient.id!);
    if (identity) return identity;
    throw new Failing('this tenant has only one patient, with another id');
  }
  if (authorization.type === 'mock' && !authorization.disableAuthzChecks) {
    throw new Failing('authorization.patient is missing: all requests for data are refused');
  }
  if (clinical.type === 'none') throw new NotTried('this tenant has no clinical record');
  if (clinical.type === 'fhir')
    return readPatient({ outside, tenant, base: clinical.baseUrl }, patientId, { signal });
  const people = patientId === undefined ? await record.people(tenant) : [];
  const id = patientId ?? people.find(({ reference }) => reference.startsWith('Patient/'))?.id;
  const identity = id === undefined ? undefined : await record.identity(tenant, id);
  if (!identity) throw new Failing('there is no such Patient in the record (clinical.path)');
  return identity;
}

async function imageCheck(
  deps: SelfTestDeps,
  tenant: Tenant,
  config: ImagesConfig,
  index: number,
): Promise<Check> {
  const name = tenant.images.length > 1 ? `image-source ${index + 1}` : 'image-source';
  const attempt = async (signal: AbortSignal): Promise<void> => {
    const tried = await deps.images.checkSource(tenant, index, signal);
    if (!tried) throw new NotTried(`an image source of type ${config.type} cannot be checked`);
  };
  const { seconds = CHECK_SECONDS } = deps;
  const check = await runCheck(name, seconds, attempt, (error) => imageFailure(config, error));
  if (check.outcome === 'ok' && config.type === 'dicom-dimse' && config.retrieval === 'c-move') {
    const reason = `not tested: whether the archive knows ${config.ae} (images.ae) as a destination of C-MOVE, and reaches it at our address and DIMSE_PORT`;
    return { ...check, reason };
  }
  if (check.outcome !== 'failed') return check;
  const since = await deps.images.awaySince(tenant, index).catch(() => undefined);
  if (since === undefined) return check;
  const state = `requests are answered 503 without asking it since ${new Date(since).toISOString()}`;
  return { ...check, reason: `${check.reason}; ${state}` };
}

/** Explains an error that no check explains. It leaves out a parser's message, which quotes the text that it read. */
function failure(error: unknown): string {
  const connection = connectionFailure(error);
  if (connection) return `a connection failed: ${connection}`;
  if (!(error instanceof Fault)) {
    return error instanceof Error && !(error instanceof SyntaxError) ? error.message : 'it failed';
  }
  const { cause } = error;
  return cause instanceof Error && !(cause instanceof SyntaxError)
    ? `${error.message} (${cause.message})`
    : error.message;
}

const noToken = () => new NotTried('this tenant asks for no token');
const ourOwn = () => new NotTried('this tenant’s tokens are our own');
