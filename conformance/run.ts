import { ALL_CHECKS } from './checks/all.ts';
import { entriesOf } from './bundle.ts';
import { Client } from './client.ts';
import { isObject, parsed } from './json.ts';
import { UsageError, type Options } from './options.ts';
import { Blocked, Deviation, NotApplicable } from './outcome.ts';
import type { Check, Need, Result, Status } from './requirement.ts';
import { SafeText } from './safe-text.ts';
import { Subject } from './subject.ts';

/** Version of the kit; a test compares it with `package.json`, which is at another place in the package. */
export const KIT_VERSION = '0.1.0';

/** Results of a run. */
export interface Report {
  base?: string | undefined;
  dicomweb?: string | undefined;
  started: string;
  /** `server` is the software that the CapabilityStatement names. */
  versions: { kit: string; node: string; server?: string | undefined };
  /** Number of checks of the kit; `--only` may choose fewer. */
  checks: number;
  results: readonly Result[];
  totals: Readonly<Record<Status, number>>;
  /** Whether every MUST that was checked is met, and at least one check was made. */
  conforms: boolean;
}

/** Receives the results while the checks run. */
export interface Listener {
  /** A check begins. */
  begin?(check: Check): void;
  /** The running check waits or receives. */
  progress?(text: string): void;
  end?(result: Result): void;
}

/** Reasons for which a check is skipped, and what to give to have it. */
const NEEDS: Readonly<Record<Need, readonly [isGiven: (options: Options) => boolean, reason: string]>> = {
  base: [({ base }) => base !== undefined, 'give --base URL'],
  patient: [({ patient }) => patient !== undefined, 'give --patient ID'],
  otherPatient: [
    ({ otherPatient }) => otherPatient !== undefined,
    'give --other-patient ID, a patient whom the token does not cover',
  ],
  otherStudy: [
    ({ otherStudy }) => otherStudy !== undefined,
    'give --other-study UID, a study that the token does not cover',
  ],
  narrowToken: [
    ({ narrowToken }) => narrowToken !== undefined,
    'give CONFORMANCE_NARROW_TOKEN, a token without a scope for ImagingStudy',
  ],
  patientGrant: [({ grant }) => grant === 'patient', 'the token is for several patients (--grant system)'],
};

/** Returns the checks that `--only` names, all if it names none. @throws UsageError for a name without a check */
export function selectChecks(only: readonly string[]): readonly Check[] {
  const matches = ({ id, name }: Check, wanted: string) =>
    id === wanted || id.startsWith(`${wanted}-`) || `${id}/${name}` === wanted;
  const unknown = only.find((wanted) => !ALL_CHECKS.some((check) => matches(check, wanted)));
  if (unknown !== undefined)
    throw new UsageError('--only has a name without a check; --list prints all: family, id or id/name.');
  return only.length === 0
    ? ALL_CHECKS
    : ALL_CHECKS.filter((check) => only.some((one) => matches(check, one)));
}

/**
 * Checks a server.
 * @throws UsageError if the options name no check, or the patient is needed and not given
 */
export async function run(given: Options, listener: Listener = {}): Promise<Report> {
  const checks = selectChecks(given.only);
  const client = new Client({
    trusted: [given.base, given.dicomweb].flatMap((url) => (url === undefined ? [] : [new URL(url).origin])),
    token: given.token,
    headers: given.headers,
    timeout: given.timeout,
    onProgress: (text) => listener.progress?.(text),
  });
  const options = { ...given, patient: given.patient ?? (await patientOf(given, client)) };
  const needsPatient = given.base !== undefined && checks.some(({ needs }) => needs?.includes('patient'));
  if (needsPatient && options.patient === undefined)
    throw new UsageError('The patient of the token is not known: give --patient ID.');
  const started = new Date().toISOString();
  const text = new SafeText(secretsOf(given));
  const results: Result[] = [];
  for (const check of checks) {
    listener.begin?.(check);
    const result = await resultOf(check, new Subject(options, client), text);
    results.push(result);
    listener.end?.(result);
  }
  const totals = { passed: 0, failed: 0, warning: 0, blocked: 0, skipped: 0 };
  for (const { status } of results) totals[status]++;
  return {
    base: given.base,
    dicomweb: given.dicomweb,
    started,
    versions: {
      kit: KIT_VERSION,
      node: process.versions.node,
      server: await softwareOf(options, client, text),
    },
    checks: ALL_CHECKS.length,
    results,
    totals,
    conforms: totals.passed + totals.warning > 0 && totals.failed === 0 && totals.blocked === 0,
  };
}

/** Returns name and version of the server's software; undefined if its CapabilityStatement does not say them. */
async function softwareOf(options: Options, client: Client, text: SafeText): Promise<string | undefined> {
  if (options.base === undefined) return undefined;
  const answer = await new Subject(options, client).readCapabilities().catch(() => undefined);
  const statement = answer?.status === 200 ? parsed(answer) : undefined;
  const software = isObject(statement) ? statement['software'] : undefined;
  if (!isObject(software)) return undefined;
  const named = [software['name'], software['version']].filter((one) => typeof one === 'string').join(' ');
  return named === '' ? undefined : text.clean(named);
}

/** Returns what must not be printed. A short header that is no credential stays readable. */
function secretsOf({ token, narrowToken, headers }: Options): (string | undefined)[] {
  const { authorization, ...others } = headers;
  const credentials = authorization?.replace(/^\S+ +/, '');
  return [
    token,
    narrowToken,
    authorization,
    credentials,
    ...Object.values(others).filter(({ length }) => length >= 8),
  ];
}

/** Makes a check, and makes its texts safe. */
async function resultOf(check: Check, subject: Subject, text: SafeText): Promise<Result> {
  const { id, name, level, sentence, expected, needs = [] } = check;
  const begun = performance.now();
  const missing = needs.find((need) => !NEEDS[need][0](subject.options));
  const [status, found] = missing
    ? (['skipped', NEEDS[missing][1]] as const)
    : await check.run(subject).then(
        (found) => ['passed', found] as const,
        (error: unknown) => [statusOf(error, check), messageOf(error)] as const,
      );
  return {
    id,
    name,
    level,
    sentence,
    expected,
    status,
    requested: subject.requested.map((line) => text.clean(line)),
    found: text.clean(found),
    milliseconds: Math.round(performance.now() - begun),
  };
}

/** An answer that did not come, or could not be read, is a deviation too. */
function statusOf(error: unknown, { level }: Check): Status {
  if (error instanceof NotApplicable) return 'skipped';
  if (error instanceof Blocked) return level === 'MUST' ? 'blocked' : 'skipped';
  return level === 'MUST' ? 'failed' : 'warning';
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof Deviation || error instanceof NotApplicable) return error.message;
  if (error instanceof Blocked) return `could not be checked: ${error.message}`;
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return `no usable answer: ${error.message}${cause}`;
}

/** Returns the patient whom a signed token names (RFC 9068), or the only one whom the token finds. */
async function patientOf({ base, token }: Options, client: Client): Promise<string | undefined> {
  if (base === undefined || token === undefined) return undefined;
  const claims = claimsOf(token);
  if (isObject(claims) && typeof claims['patient'] === 'string') return claims['patient'];
  const answer = await client
    .send(`${base}/Patient?_count=2`, { accept: 'application/fhir+json' })
    .catch(() => undefined);
  const bundle = answer?.status === 200 ? parsed(answer) : undefined;
  const patients = (isObject(bundle) ? entriesOf(bundle) : [])
    .map(({ resource }) => resource)
    .filter(({ resourceType }) => resourceType === 'Patient');
  return patients.length === 1 && typeof patients[0]!['id'] === 'string' ? patients[0]!['id'] : undefined;
}

/** Returns the claims of a JWT without a check of its signature; undefined for another token. */
function claimsOf(token: string): unknown {
  const [, payload, signature] = token.split('.');
  if (payload === undefined || signature === undefined) return undefined;
  try {
    return JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}
