/** Requests of clients to the gateway, and the judgement of the answers. */
import { Agent, errors, request } from 'undici';
import { retrievedObjects } from '../setup/retrieved-objects.ts';
import { INSTANCES, instancesOf, SOURCES, type SourceName, type Surroundings } from './parts.ts';

/**
 * `misplaced`: 502, or the same for a field in GraphQL; `right`: complete; `away`: 503 with Retry-After, or the same for a field in GraphQL; `cut`: the connection was
 * closed before the end of the answer, which its client notices; otherwise the description of what is wrong, unless a
 * study is gone.
 */
export type Verdict = 'right' | 'away' | 'cut' | 'misplaced' | Wrong;

interface Wrong {
  wrong: string;
  /** The study whose absence would explain the answer. */
  without?: string | undefined;
}

export interface Question {
  tenant: SourceName;
  name: string;
  ask(): Promise<Verdict>;
}

/** Milliseconds within which every answer has to be complete, whatever is away. */
const PATIENCE = 30_000;

interface Answer {
  status: number;
  type: string;
  retryAfter: number;
  /** True if it says that a source did not answer. */
  isWarned: boolean;
  body: Buffer;
}
/** Returns the numbers of the instances that a study has. */
type Truth = (study: string) => readonly number[];
/** Describes what is wrong with an answer that is not 503; undefined for a right one. */
type Judge = (answer: Answer, truth: Truth) => Judged | Promise<Judged>;
type Judged = Wrong | undefined;

const JSON_TYPE = 'application/json';
const OBJECTS = 'multipart/related; type="application/dicom"; transfer-syntax=*';

/** Returns requests of all kinds to all tenants; `close` ends their connections. */
export function questionsOf(world: Surroundings): { questions: Question[]; close(): Promise<void> } {
  const dispatcher = new Agent({ connections: null, headersTimeout: PATIENCE, bodyTimeout: PATIENCE });
  const { gateway, token, patient, mrn, studies, foreign } = world;

  /** Sends a request: a POST where it has a body, otherwise a GET. */
  async function send(path: string, accept: string, body?: string): Promise<Answer> {
    const answer = await request(`${gateway.url}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        accept,
        ...(body !== undefined && { 'content-type': JSON_TYPE }),
      },
      body: body ?? null,
      dispatcher,
    });
    return {
      status: answer.statusCode,
      type: String(answer.headers['content-type']),
      retryAfter: Number(answer.headers['retry-after']),
      isWarned: String(answer.headers['warning']).includes('did not answer'),
      body: Buffer.from(await answer.body.arrayBuffer()),
    };
  }

  const ofTenant = (tenant: SourceName): Question[] => {
    const question = (path: string, accept: string, judge: Judge, body?: string): Question => ({
      tenant,
      name: `/${tenant}${path} as ${accept}`,
      async ask() {
        try {
          const answer = await send(`/${tenant}${path}`, accept, body);
          if (answer.status === 503)
            return answer.retryAfter > 0 ? 'away' : { wrong: '503 without Retry-After' };
          if (answer.status === 502) return 'misplaced';
          const failure = failureByGraphql(answer);
          if (failure) return failure;
          let wrong = await judge(answer, (uid) => instancesOf(tenant, uid));
          // An archive that is away before it was first asked: the others are given, with a warning.
          if (wrong && answer.isWarned && tenant === 'several')
            wrong = (await judge(answer, (uid) => instancesOf('folder', uid))) && wrong;
          return wrong ? { ...wrong, wrong: `${answer.status}: ${wrong.wrong}` } : 'right';
        } catch (error) {
          return error instanceof errors.SocketError ? 'cut' : { wrong: String(error) };
        }
      },
    });
    const [study] = studies;
    const ofStudy = studies.flatMap((uid) => {
      const path = `/dicomweb/studies/${uid}`;
      const one = `${path}/series/${uid}.1/instances/${uid}.1.${INSTANCES}`;
      return [
        question(path, OBJECTS, objects(uid, mrn)),
        question(`${path}/metadata`, 'application/dicom+json', objects(uid, mrn)),
        question(`${path}/instances`, 'application/dicom+json', rows(uid)),
        question(one, 'application/dicom; transfer-syntax=*', object(uid, mrn)),
      ];
    });
    return [
      ...ofStudy,
      question(`/dicomweb/studies?PatientID=${mrn}`, 'application/dicom+json', list(studies)),
      question(`/dicomweb/studies/${study}`, 'application/zip', objects(study!, mrn)),
      question(`/dicomweb/studies/${study}/rendered`, 'image/jpeg', picture(study!)),
      question(`/fhir/ImagingStudy?patient=${patient}`, 'application/fhir+json', bundle(studies)),
      question(`/fhir/ImagingStudy/${study}`, 'application/fhir+json', imagingStudy(study!)),
      question(`/fhir/Condition?patient=${patient}`, 'application/fhir+json', conditions),
      question(
        '/graphql',
        JSON_TYPE,
        graphql(studies),
        JSON.stringify({ query: QUERY, variables: { patient } }),
      ),
      question(`/dicomweb/studies/${foreign}`, OBJECTS, notFound),
      question(`/dicomweb/studies/${foreign}/metadata`, 'application/dicom+json', notFound),
    ];
  };
  return { questions: inTurns(SOURCES.map(ofTenant)), close: () => dispatcher.destroy() };
}

const QUERY =
  'query ($patient: ID!) { Patient(id: $patient) { id ConditionList { id } ImagingStudyList { id numberOfInstances } } }';
/** Number of conditions of the patient in the record that the EHR serves. */
const CONDITIONS = 5;

/** Takes one element of each list in turn. */
const inTurns = <T>(lists: T[][]): T[] =>
  lists[0]!.flatMap((_, i) => lists.flatMap((list) => list.slice(i, i + 1)));

const expecting = (what: string, found: unknown, expected: unknown): Judged =>
  JSON.stringify(found) === JSON.stringify(expected)
    ? undefined
    : { wrong: `${what} ${JSON.stringify(found)} in place of ${JSON.stringify(expected)}` };
const json = ({ body }: Answer): unknown => JSON.parse(body.toString());
/** Describes a refusal. @param study the only study requested */
const refused = ({ status, body }: Answer, study?: string): Judged =>
  status === 200
    ? undefined
    : { wrong: body.toString().slice(0, 300), without: status === 404 ? study : undefined };

const notFound: Judge = ({ status }) =>
  status === 404 ? undefined : { wrong: 'a study of another patient is not 404' };

/** Compares the instances of a study in an answer with those that exist. */
function hasInstances(study: string, found: Iterable<unknown>, numbers: readonly number[]): Judged {
  const uids = [...new Set(found)].map(String).sort();
  const wrong = expecting(
    'instances',
    uids,
    numbers.map((number) => `${study}.1.${number}`),
  );
  return wrong && { ...wrong, without: uids.length === 0 ? study : undefined };
}

/** Instances in an answer, or what is wrong with one of them. */
async function foundObjects(
  answer: Answer,
  study: string,
  patientId: string,
): Promise<(string | undefined)[] | Wrong> {
  const found = (await retrievedObjects(answer.type, answer.body)) ?? [];
  const alien = found.find((one) => one.study !== study || one.patientId !== patientId);
  if (alien) return { wrong: `an object that was not requested: ${JSON.stringify(alien)}` };
  return found.map(({ instance }) => instance);
}

const objects =
  (study: string, patientId: string): Judge =>
  async (answer, truth) => {
    const refusal = refused(answer, study);
    if (refusal) return refusal;
    const found = await foundObjects(answer, study, patientId);
    return Array.isArray(found) ? hasInstances(study, found, truth(study)) : found;
  };

/** The last instance of a study, which some sources do not have. */
const object =
  (study: string, patientId: string): Judge =>
  async (answer, truth) => {
    if (!truth(study).includes(INSTANCES)) return expecting('status', answer.status, 404);
    const refusal = refused(answer, study);
    if (refusal) return refusal;
    const found = await foundObjects(answer, study, patientId);
    return Array.isArray(found) ? hasInstances(study, found, [INSTANCES]) : found;
  };

type Row = Record<string, { Value?: unknown[] } | undefined>;
const value = (row: Row, tag: string): unknown => row[tag]?.Value?.[0];

const rows =
  (study: string): Judge =>
  (answer, truth) =>
    refused(answer, study) ??
    hasInstances(
      study,
      (json(answer) as Row[]).map((row) => value(row, '00080018')),
      truth(study),
    );

/** Checks that a list has every study with the number of its instances; names the one that is missing. */
function wholeList(
  found: readonly (readonly [uid: unknown, instances: unknown])[],
  studies: readonly string[],
  truth: Truth,
): Judged {
  const numbers = new Map(found.map(([uid, instances]) => [String(uid), Number(instances)]));
  const isRight = (uid: string) => truth(uid).length === numbers.get(uid);
  const missing = studies.filter((uid) => !isRight(uid));
  if (missing.length === 0 && found.length === studies.length) return undefined;
  const without =
    missing.length === 1 && !numbers.has(missing[0]!) && found.length === studies.length - 1
      ? missing[0]
      : undefined;
  return { wrong: `studies ${JSON.stringify(found)} in place of ${JSON.stringify(studies)}`, without };
}

const list =
  (studies: readonly string[]): Judge =>
  (answer, truth) =>
    refused(answer) ??
    wholeList(
      (json(answer) as Row[]).map((row) => [value(row, '0020000D'), value(row, '00201208')]),
      studies,
      truth,
    );

const picture =
  (study: string): Judge =>
  (answer) =>
    refused(answer, study) ?? expecting('first bytes', answer.body.subarray(0, 2).toString('hex'), 'ffd8');

interface StudyResource {
  id: string;
  numberOfInstances: number;
}
const imagingStudy =
  (study: string): Judge =>
  (answer, truth) => {
    const refusal = refused(answer, study);
    if (refusal) return refusal;
    const { id, numberOfInstances } = json(answer) as StudyResource;
    return wholeList([[id, numberOfInstances]], [study], truth);
  };

interface Bundle {
  entry?: { resource: StudyResource & { resourceType: string } }[];
}
const bundle =
  (studies: readonly string[]): Judge =>
  (answer, truth) =>
    refused(answer) ??
    wholeList(
      ((json(answer) as Bundle).entry ?? [])
        .map(({ resource }) => resource)
        .filter(({ resourceType }) => resourceType === 'ImagingStudy')
        .map(({ id, numberOfInstances }) => [id, numberOfInstances]),
      studies,
      truth,
    );

const conditions: Judge = (answer) =>
  refused(answer) ?? expecting('conditions', ((json(answer) as Bundle).entry ?? []).length, CONDITIONS);

interface GraphqlAnswer {
  errors?: { message: string; extensions?: { code?: string; retryAfter?: number } }[];
  data?: { Patient?: { ConditionList?: unknown[]; ImagingStudyList?: StudyResource[] } };
}

/** Tells why parts of the answer are missing: `away`, if each has an error with `retryAfter`. */
function failureByGraphql(answer: Answer): 'away' | 'misplaced' | undefined {
  if (answer.status !== 200 || !answer.type.includes('json') || answer.body[0] !== 0x7b) return undefined;
  const { errors = [] } = json(answer) as GraphqlAnswer;
  if (errors.length === 0) return undefined;
  if (errors.every(({ extensions }) => extensions?.code === 'bad_gateway')) return 'misplaced';
  const isAway = errors.every(
    ({ extensions }) => extensions?.code === 'unavailable' && Number(extensions.retryAfter) > 0,
  );
  return isAway ? 'away' : undefined;
}

const graphql =
  (studies: readonly string[]): Judge =>
  (answer, truth) => {
    const refusal = refused(answer);
    if (refusal) return refusal;
    const { errors, data } = json(answer) as GraphqlAnswer;
    if (errors) return { wrong: JSON.stringify(errors).slice(0, 300) };
    const { ConditionList = [], ImagingStudyList = [] } = data!.Patient!;
    return (
      expecting('conditions', ConditionList.length, CONDITIONS) ??
      wholeList(
        ImagingStudyList.map(({ id, numberOfInstances }) => [id, numberOfInstances]),
        studies,
        truth,
      )
    );
  };
