import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

/** Settings of a run. */
export interface Options {
  /** FHIR base, without a slash at the end. */
  base?: string | undefined;
  /** DICOMweb base, without a slash at the end; otherwise the Endpoints name it. */
  dicomweb?: string | undefined;
  token?: string | undefined;
  /** A token whose scopes do not cover ImagingStudy. */
  narrowToken?: string | undefined;
  /** Whether the token is for one patient or for a system. */
  grant: 'patient' | 'system';
  patient?: string | undefined;
  /** A patient whom the token does not cover. */
  otherPatient?: string | undefined;
  /** Study Instance UID of the study to retrieve. */
  study?: string | undefined;
  /** Study Instance UID of a study that exists and that the token does not cover. */
  otherStudy?: string | undefined;
  headers: Readonly<Record<string, string>>;
  /** Families, ids, or ids and names of checks; all if empty. */
  only: readonly string[];
  /** Milliseconds for one request. */
  timeout: number;
  json?: string | undefined;
  junit?: string | undefined;
  html?: string | undefined;
}

/** The command line is wrong. The message says how to correct it. */
export class UsageError extends Error {}

/** Description of the command line. */
export const USAGE = `Usage: smart-imaging-conformance --base URL [options]
       smart-imaging-conformance --dicomweb URL [options]

  --base URL           FHIR base of the server
  --dicomweb URL       DICOMweb base; by default the Endpoints name it
  --token TOKEN        access token; better CONFORMANCE_TOKEN, which the list of processes does not show
  --token-file FILE    file with the token, or with the JSON answer of the token endpoint
  --grant KIND         patient (default): the token is for one patient; system: for several
  --patient ID         the patient of the token; by default of the token's answer, or the only one that it finds
  --study UID          the study to retrieve; by default a small one
  --other-patient ID   a patient whom the token does not cover
  --other-study UID    a study that exists, of another patient
  --narrow-token TOKEN token without a scope for ImagingStudy; better CONFORMANCE_NARROW_TOKEN
  --header 'NAME: V'   header of every request, several times; Authorization is sent instead of a token
  --only LIST          families or ids, such as IA,SM,DW-5
  --timeout SECONDS    for one request, 60 by default
  --json FILE          writes the report as JSON
  --junit FILE         writes the report as JUnit XML
  --html FILE          writes the report as one HTML page, with the SHA-256 of the JSON report
  --list               prints the checks, and makes no request
  --help               prints this text

Exit status: 0 all passed, 1 a requirement is not met, 2 wrong use.`;

const TEXT = { type: 'string' } as const;
const FLAG = { type: 'boolean' } as const;
const KNOWN = {
  base: TEXT,
  dicomweb: TEXT,
  token: TEXT,
  'token-file': TEXT,
  'narrow-token': TEXT,
  grant: TEXT,
  patient: TEXT,
  study: TEXT,
  'other-patient': TEXT,
  'other-study': TEXT,
  only: TEXT,
  timeout: TEXT,
  json: TEXT,
  junit: TEXT,
  html: TEXT,
  list: FLAG,
  help: FLAG,
  header: { type: 'string', multiple: true },
} as const;

/** A command that makes no request, or the settings of a run. */
export type Command = 'help' | 'list' | Options;

/**
 * Parses the command line.
 * @param environment for the tokens
 * @throws UsageError
 */
export function parseOptions(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Command {
  const values = valuesOf(args);
  if (values.help) return 'help';
  if (values.list) return 'list';
  if (values.base === undefined && values.dicomweb === undefined)
    throw new UsageError('Give --base URL, or --dicomweb URL for a server without FHIR.');
  const { grant = 'patient', timeout = '60' } = values;
  if (grant !== 'patient' && grant !== 'system') throw new UsageError('--grant is patient or system.');
  if (!(Number(timeout) > 0 && Number(timeout) <= 86_400))
    throw new UsageError('--timeout is a number of seconds.');
  const file = tokenOfFile(values['token-file']);
  const token = values.token ?? file.token ?? (environment['CONFORMANCE_TOKEN'] || undefined);
  const narrowToken = values['narrow-token'] ?? (environment['CONFORMANCE_NARROW_TOKEN'] || undefined);
  if (token !== undefined) refuseBadToken(token);
  if (narrowToken !== undefined) refuseBadToken(narrowToken);
  return {
    base: baseOf('--base', values.base),
    dicomweb: baseOf('--dicomweb', values.dicomweb),
    token,
    narrowToken,
    grant,
    patient: values.patient?.replace(/^Patient\//, '') ?? file.patient,
    otherPatient: values['other-patient']?.replace(/^Patient\//, ''),
    study: uidOf('--study', values.study),
    otherStudy: uidOf('--other-study', values['other-study']),
    headers: headersOf(values.header ?? []),
    only: (values.only ?? '').split(',').filter((one) => one !== ''),
    timeout: Number(timeout) * 1000,
    json: values.json,
    junit: values.junit,
    html: values.html,
  };
}

function valuesOf(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: KNOWN, allowPositionals: false }).values;
  } catch (error) {
    // The message of Node may contain the argument, and that may be a token.
    const option = /'(--?[a-z-]+)/.exec(error instanceof Error ? error.message : '')?.[1];
    throw new UsageError(
      option ? `${option} is unknown, or has no value.` : 'There is a value without an option.',
    );
  }
}

function baseOf(option: string, url: string | undefined): string | undefined {
  if (url === undefined) return undefined;
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || !/^https?:$/.test(parsed.protocol) || parsed.search || parsed.hash)
    throw new UsageError(`${option} is an absolute http or https URL without a query.`);
  if (parsed.username || parsed.password)
    throw new UsageError(`${option} has no password; give --header 'Authorization: Basic …'.`);
  return url.replace(/\/+$/, '');
}

function uidOf(option: string, uid: string | undefined): string | undefined {
  if (uid !== undefined && !/^[\d.]{1,64}$/.test(uid))
    throw new UsageError(`${option} is a UID: digits and dots, at most 64.`);
  return uid;
}

function refuseBadToken(token: string): void {
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new UsageError('The token has a space or another forbidden character.');
}

/** Reads a token, or the answer of a token endpoint (RFC 6749 §5.1) with the patient in context. */
function tokenOfFile(path: string | undefined): { token?: string; patient?: string | undefined } {
  if (path === undefined) return {};
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch {
    throw new UsageError('The file of --token-file cannot be read.');
  }
  if (!text.startsWith('{')) return { token: text };
  try {
    const { access_token: token, patient } = JSON.parse(text) as Record<string, unknown>;
    if (typeof token === 'string')
      return { token, patient: typeof patient === 'string' ? patient : undefined };
  } catch {
    // The message of the parser would quote the file.
  }
  throw new UsageError('The file of --token-file has no access_token.');
}

function headersOf(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => {
      const [, name, value] = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*([\x20-\x7e]*)$/.exec(line) ?? [];
      if (name === undefined) throw new UsageError("--header has the form 'Name: value'.");
      return [name.toLowerCase(), value!];
    }),
  );
}
