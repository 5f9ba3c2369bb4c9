/** Requests of every patient's app, and the judgement of their answers. */
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, errors, request } from 'undici';
import { patientsIn, type ChaosPatient } from './patients.ts';
import { TENANTS, tokenOf, type System, type TenantName } from './system.ts';

/**
 * `right`: equal to the answer before the first fault. An honest refusal is named by its status or code, or `cut`: the
 * connection ended before the answer did, which its client notices; or `refused`: nobody listened. Everything else is
 * `wrong`, and with anything of another patient `crossed`.
 */
export interface Verdict {
  kind: 'right' | 'wrong' | 'crossed' | (string & {});
  /** Describes an answer that is wrong; the explanation in one that refuses. */
  reason?: string;
  /** Bytes of a whole answer. */
  size?: number;
  /** The first right answer. */
  learned?: Buffer;
}

export interface Question {
  tenant: TenantName;
  patient: ChaosPatient;
  name: string;
  ask(): Promise<Verdict>;
}

export interface Load {
  /** Questions of all patients to the tenants, in an order that mixes them. */
  questions: readonly Question[];
  /** Asks each question twice and keeps its answer. @throws when an answer is wrong or changes */
  learn(): Promise<void>;
  /** Gets new tokens: those of our own authorization server last five minutes. */
  renewTokens(): Promise<void>;
  close(): Promise<void>;
}

/** Milliseconds after which a client has waited too long for an answer to begin, or to go on. */
const PATIENCE = 60_000;

/** Attempts to get tokens, or the first right answers, and milliseconds between them: a loaded machine needs several. */
const [ATTEMPTS, PAUSE] = [20, 500];

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

interface Asked {
  name: string;
  path: string;
  accept?: string;
  body?: string;
}

/** Makes the questions. The connections of the clients are kept, as those of browsers are, and none waits for another. */
export function loadOf(system: System, tenants: readonly TenantName[] = TENANTS): Load {
  const dispatcher = new Agent({ connections: null, headersTimeout: PATIENCE, bodyTimeout: PATIENCE });
  const known = new Map<Question, Buffer>();
  let tokens = new Map<string, string>();

  async function send(tenant: TenantName, patient: ChaosPatient, asked: Asked): Promise<Answer> {
    const { path, accept = '*/*', body } = asked;
    const answer = await request(`${system.url}/${tenant}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `Bearer ${tokens.get(tokenOf(tenant, patient))}`,
        accept,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      body: body ?? null,
      dispatcher,
    });
    const { statusCode: status, headers } = answer;
    return { status, headers, body: Buffer.from(await answer.body.arrayBuffer()) };
  }

  const questionOf = (tenant: TenantName, patient: ChaosPatient, asked: Asked): Question => {
    const question: Question = {
      tenant,
      patient,
      name: `${tenant} ${asked.name}`,
      async ask() {
        try {
          return judge(await send(tenant, patient, asked), patient, known.get(question));
        } catch (error) {
          return brokenOff(error);
        }
      },
    };
    return question;
  };
  const ofEach = tenants.flatMap((tenant) =>
    system.patients.map((patient) => askedOf(patient).map((asked) => questionOf(tenant, patient, asked))),
  );
  const questions = ofEach[0]!.flatMap((_, i) => ofEach.map((one) => one[i]!));
  const renewTokens = async (): Promise<void> => {
    for (let attempts = 1; ; attempts++) {
      try {
        tokens = await system.tokens();
        return;
      } catch (error) {
        if (attempts === ATTEMPTS) throw error;
        await delay(PAUSE);
      }
    }
  };

  return {
    questions,
    renewTokens,
    close: () => dispatcher.destroy(),
    async learn() {
      await renewTokens();
      for (const question of questions) {
        const first = await answerTo(question, 'learned');
        known.set(question, first.learned!);
        await answerTo(question, 'right');
      }
    },
  };
}

/** Asks until there is an answer of this kind: just after the start, or on a loaded machine, a part may be away for a moment. */
async function answerTo(question: Question, kind: 'learned' | 'right'): Promise<Verdict> {
  for (let attempts = 1; ; attempts++) {
    const verdict = await question.ask();
    if (verdict.kind === kind) return verdict;
    const isAway = verdict.kind !== 'wrong' && verdict.kind !== 'crossed';
    if (!isAway || attempts === ATTEMPTS)
      throw new Error(`${question.name}: ${verdict.kind} in place of ${kind}: ${verdict.reason}`);
    await delay(PAUSE);
  }
}

const RECORD = `query ($id: ID!) { Patient(id: $id) { id birthDate name { family } ConditionList { id code { text } onsetDateTime }
  AllergyIntoleranceList { id code { text } } DiagnosticReportList { id conclusion }
  ImagingStudyList { id started description numberOfInstances series { uid modality { code } instance { uid } } } } }`;
const IMAGES = `query ($id: ID!) { Patient(id: $id) { id ImagingStudyList { id numberOfInstances } } }`;

/** Returns what one app asks: the mix of a visit that looks at the record and opens studies. */
function askedOf({ id, mrn, studies }: ChaosPatient): Asked[] {
  const [first, second] = studies as [string, string];
  const post = (query: string) => JSON.stringify({ query, variables: { id } });
  const frames = (study: string, instance: number): Asked => ({
    name: 'frames',
    path: `/dicomweb/studies/${study}/series/${study}.1/instances/${study}.1.${instance}/frames/1`,
    accept: 'multipart/related; type="application/octet-stream"',
  });
  return [
    { name: 'GraphQL record', path: '/graphql', body: post(RECORD) },
    frames(first, 1),
    { name: 'FHIR Condition', path: `/fhir/Condition?patient=${id}` },
    frames(first, 2),
    { name: 'QIDO', path: `/dicomweb/studies?PatientID=${mrn}` },
    frames(second, 3),
    { name: 'FHIR ImagingStudy', path: `/fhir/ImagingStudy?patient=${id}` },
    { name: 'GraphQL images', path: '/graphql', body: post(IMAGES) },
    frames(second, 4),
    { name: 'FHIR Observation', path: `/fhir/Observation?patient=${id}&_count=10` },
    { name: 'metadata', path: `/dicomweb/studies/${first}/metadata` },
    {
      name: 'instance',
      path: `/dicomweb/studies/${first}/series/${first}.1/instances/${first}.1.1`,
      accept: 'application/dicom; transfer-syntax=*',
    },
  ];
}

/** Codes of a GraphQL error that says that a part is away. */
const AWAY_CODES = new Set(['unavailable', 'gateway_timeout']);

/** @param known the right answer; undefined before it is learned */
function judge(answer: Answer, patient: ChaosPatient, known: Buffer | undefined): Verdict {
  const { status, headers, body } = answer;
  const others = [...patientsIn(body)].filter((number) => number !== patient.number);
  if (others.length > 0) return { kind: 'crossed', reason: `${status} names patients ${others.join()}` };
  if (status === 502 || status === 503 || status === 504) {
    const isHonest = headers['retry-after'] !== undefined || body.includes('"OperationOutcome"');
    if (!isHonest) return { kind: 'wrong', reason: `${status} without Retry-After` };
    return { kind: String(status), reason: saidIn(body) };
  }
  if (status === 200) {
    const codes = graphqlCodes(answer);
    if (codes.length > 0 && codes.every((code) => AWAY_CODES.has(code)))
      return { kind: codes[0]!, reason: saidIn(body) };
    const bytes = withoutBoundary(answer);
    if (known === undefined && codes.length === 0) return { kind: 'learned', learned: bytes };
    if (known?.equals(bytes)) return { kind: 'right', size: body.length };
    if (known && saysWhatIsAway(answer, known)) return { kind: 'unavailable', reason: saidIn(body) };
  }
  return { kind: 'wrong', reason: `${status}: ${difference(body, known)}` };
}

/** Returns the explanation in an OperationOutcome, or in the first error of GraphQL. */
function saidIn(body: Buffer): string {
  return /"(?:diagnostics|message)":\s?"([^"]*)/.exec(body.toString())?.[1] ?? '';
}

interface Bundle {
  entry?: { resource: { resourceType: string; id?: string; issue?: { code: string }[] } }[];
}

/** Tells if a search of FHIR has the resources of the right answer, or fewer, and a notice that a part is away (IA-34). */
function saysWhatIsAway({ headers, body }: Answer, known: Buffer): boolean {
  if (!String(headers['content-type']).includes('fhir+json')) return false;
  const resourcesOf = (text: Buffer) =>
    ((JSON.parse(text.toString()) as Bundle).entry ?? []).map(({ resource }) => resource);
  const found = resourcesOf(body);
  const notices = found.filter(({ resourceType }) => resourceType === 'OperationOutcome');
  const ids = new Set(resourcesOf(known).map(({ id }) => id));
  return (
    notices.some(({ issue = [] }) => issue.some(({ code }) => code === 'transient')) &&
    found.every((resource) => notices.includes(resource) || ids.has(resource.id))
  );
}

function graphqlCodes({ headers, body }: Answer): string[] {
  if (!String(headers['content-type']).includes('json') || !body.includes('"errors"')) return [];
  const { errors = [] } = JSON.parse(body.toString()) as { errors?: { extensions?: { code?: string } }[] };
  return errors.map(({ extensions }) => String(extensions?.code));
}

/** Returns an answer without the boundary that each multipart answer has of its own. */
function withoutBoundary({ headers, body }: Answer): Buffer {
  const [, boundary] = /boundary="?([^";]+)/.exec(String(headers['content-type'])) ?? [];
  return boundary ? Buffer.from(body.toString('latin1').replaceAll(boundary, ''), 'latin1') : body;
}

/** Returns the part of an answer where it begins to differ. */
function difference(body: Buffer, known: Buffer | undefined): string {
  const at = known === undefined ? 0 : body.findIndex((byte, i) => byte !== known[i]);
  const part = (of: Buffer) => of.subarray(Math.max(0, at - 60), Math.max(0, at) + 200).toString('latin1');
  return known === undefined ? part(body) : `${part(body)} in place of ${part(known)}`;
}

/** Judges an answer that did not come, or not to its end. */
function brokenOff(error: unknown): Verdict {
  const { code } = error as { code?: string };
  if (code === 'ECONNREFUSED') return { kind: 'refused' };
  if (error instanceof errors.SocketError || code === 'ECONNRESET') return { kind: 'cut' };
  return { kind: 'wrong', reason: String(error) };
}
