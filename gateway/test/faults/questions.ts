/** Requests of clients to the gateway, and the judgement of the answers. */
import { Agent, errors, request } from 'undici';
import { retrievedObjects } from '../setup/retrieved-objects.ts';
import { INSTANCES, SOURCES, type SourceName, type Surroundings } from './parts.ts';

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
  body: Buffer;
}
/** Describes what is wrong with an answer that is not 503; undefined for a right one. */
type Judge = (answer: Answer) => Judged | Promise<Judged>;
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
      body: Buffer.from(await answer.body.arrayBuffer()),
    };
  }

  const ofTenant = (tenant: SourceName): Question[] => {
    const question = (path: string, accept: string, judge: Judge, body?: string): Question => ({
      ...{ tenant, name: `/${tenant}${path} as ${accept}` },
      async ask() {
        try {
          const answer = await send(`/${tenant}${path}`, accept, body);
          if (answer.status === 503)
            return answer.retryAfter > 0 ? 'away' : { wrong: '503 without Retry-After' };
          if (answer.status === 502) return 'misplaced';
          const failure = failureByGraphql(answer);
          if (failure) return failure;
          const wrong = await judge(answer);
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
        question(path, OBJECTS, objects(uid, INSTANCES, mrn)),
        question(`${path}/metadata`, 'application/dicom+json', objects(uid, INSTANCES, mrn)),
        question(`${path}/instances`, 'application/dicom+json', rows(uid)),
        question(one, 'application/dicom; transfer-syntax=*', objects(uid, 1, mrn)),
      ];
    });
    return [
      ...ofStudy,
      question(`/dicomweb/studies?PatientID=${mrn}`, 'application/dicom+json', list(studies)),
      question(`/dicomweb/studies/${study}`, 'application/zip', objects(study!, INSTANCES, mrn)),
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

const objects =
  (study: string, count: number, patientId: string): Judge =>
  async (answer) => {
    const refusal = refused(answer, study);
    if (refusal) return refusal;
    const found = (await retrievedObjects(answer.type, answer.body)) ?? [];
    const alien = found.find((one) => one.study !== study || one.patientId !== patientId);
    if (alien) return { wrong: `an object that was not requested: ${JSON.stringify(alien)}` };
    return expecting('objects', new Set(found.map(({ instance }) => instance)).size, count);
  };

type Row = Record<string, { Value?: unknown[] } | undefined>;
const value = (row: Row, tag: string): unknown => row[tag]?.Value?.[0];

const rows =
  (study: string): Judge =>
  (answer) => {
    const refusal = refused(answer, study);
    if (refusal) return refusal;
    const instances = new Set((json(answer) as Row[]).map((row) => value(row, '00080018')));
    const wrong = expecting('rows', instances.size, INSTANCES);
    return wrong && { ...wrong, without: instances.size === 0 ? study : undefined };
  };

/** Checks that a list has every study with all its instances; names the one that is missing. */
function wholeList(found: [uid: unknown, instances: unknown][], studies: readonly string[]): Judged {
  const sorted = (list: readonly unknown[]) => list.map(String).sort();
  const whole = (uids: readonly string[]) => sorted(uids.map((uid) => [uid, INSTANCES]));
  const wrong = expecting('studies', sorted(found), whole(studies));
  const one = studies.find(
    (uid) => !expecting('', sorted(found), whole(studies.filter((other) => other !== uid))),
  );
  return wrong && { ...wrong, without: one };
}

const list =
  (studies: readonly string[]): Judge =>
  (answer) =>
    refused(answer) ??
    wholeList(
      (json(answer) as Row[]).map((row) => [value(row, '0020000D'), value(row, '00201208')]),
      studies,
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
  (answer) =>
    refused(answer, study) ??
    expecting('instances', (json(answer) as StudyResource).numberOfInstances, INSTANCES);

interface Bundle {
  entry?: { resource: StudyResource & { resourceType: string } }[];
}
const bundle =
  (studies: readonly string[]): Judge =>
  (answer) =>
    refused(answer) ??
    wholeList(
      ((json(answer) as Bundle).entry ?? [])
        .map(({ resource }) => resource)
        .filter(({ resourceType }) => resourceType === 'ImagingStudy')
        .map(({ id, numberOfInstances }) => [id, numberOfInstances]),
      studies,
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
  (answer) => {
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
      )
    );
  };
