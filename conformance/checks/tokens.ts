import { entriesOf, studiesOf } from '../bundle.ts';
import type { Answer } from '../client.ts';
import { describe, expectStatus } from '../expectations.ts';
import { isObject, objectsOf, parsed } from '../json.ts';
import { Deviation, NotApplicable } from '../outcome.ts';
import type { Check } from '../requirement.ts';
import { ifAny, type Image, type Subject } from '../subject.ts';
import { isOpen } from './endpoint.ts';

const BAD_TOKEN = 'conformance-no-such-token';

/** A JWT that names the patient and is signed by nobody (RFC 7519 §6). */
function unsignedToken(patient: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 60_000) * 60 + 3600;
  return `${part({ alg: 'none', typ: 'at+jwt' })}.${part({ patient, scope: 'patient/*.rs', exp })}.`;
}

/** Returns every form in which a study, or one object of it, can be asked for. */
async function formsOf(subject: Subject): Promise<string[]> {
  const { base, study, url: whole } = await subject.study();
  const image = await ifAny(subject.image());
  return [
    whole,
    `${whole}/metadata`,
    `${whole}/rendered`,
    `${whole}/thumbnail`,
    `${base}/studies?StudyInstanceUID=${study}`,
    `${whole}/series`,
    ...(image ? formsOfImage(image) : []),
  ];
}

const formsOfImage = ({ base, seriesUrl, url, instance }: Image) => [
  seriesUrl,
  `${seriesUrl}/metadata`,
  url,
  `${url}/metadata`,
  `${url}/frames/1`,
  `${url}/rendered`,
  `${url}/thumbnail`,
  `${url}/bulkdata`,
  `${base}/instances?SOPInstanceUID=${instance}`,
];

/** Asks for every form with credentials that are not valid. @throws Deviation if one of them is answered */
async function expectRefusals(subject: Subject, credentials: string): Promise<string> {
  const { url } = await subject.study();
  if (await hasOpenEndpoint(subject)) throw new NotApplicable('an Endpoint says that it needs no token');
  const forms = await formsOf(subject);
  for (const form of forms) {
    const { status, type } = await subject.get(form, { credentials });
    // A form that the server does not have may be 404.
    if (status < 400 || (form === url && ![401, 403].includes(status)))
      throw new Deviation(`status ${status}, ${type.essence || 'no media type'} for ${form}`);
  }
  return `${forms.length} forms are refused`;
}

/** Tells whether an Endpoint says that it needs no token. Without FHIR there is none that could say it. */
async function hasOpenEndpoint(subject: Subject): Promise<boolean> {
  const { base, patient } = subject.options;
  if (base === undefined || patient === undefined) return false;
  const answer = parsed(await subject.search());
  if (!isObject(answer)) return false;
  const contained = studiesOf(answer).flatMap((study) => objectsOf(study['contained']));
  return [...entriesOf(answer).map(({ resource }) => resource), ...contained].some(isOpen);
}

/** Tokens: none, bad ones, and those of other scopes. */
export const TOKENS: readonly Check[] = [
  ...(
    [
      ['search-without-token', 'No study is found without a token.', () => 'none'],
      [
        'search-with-bad-token',
        'No study is found with a token that the server did not issue.',
        () => BAD_TOKEN,
      ],
      ['search-with-unsigned-token', 'No study is found with a JWT without signature.', unsignedToken],
    ] as const
  ).map(([name, sentence, credentials]): Check => ({
    id: 'IA-5',
    name,
    level: 'MUST',
    sentence,
    expected: '401 without a Bundle',
    needs: ['base', 'patient'],
    async run(subject) {
      const token = credentials(subject.options.patient!);
      const answer = await subject.search(subject.patientQuery(), { credentials: token });
      expectStatus(answer, 401);
      return describe(answer);
    },
  })),
  ...(
    [
      ['retrieval-without-token', 'No study is retrieved without a token, in no form.', 'none'],
      [
        'retrieval-with-bad-token',
        'No study is retrieved with a token that the server did not issue.',
        BAD_TOKEN,
      ],
    ] as const
  ).map(([name, sentence, credentials]): Check => ({
    id: 'IA-23',
    name,
    level: 'MUST',
    sentence,
    expected: '401 for the study (or 403, at an address made for one token), an error for every other form',
    run: (subject) => expectRefusals(subject, credentials),
  })),
  {
    id: 'SM-12',
    name: 'challenge-without-token',
    level: 'MUST',
    sentence: 'A request without token gets a Bearer challenge without an error code (RFC 6750 §3).',
    expected: '401, WWW-Authenticate: Bearer … without error=',
    needs: ['base', 'patient'],
    async run(subject) {
      const challenge = challengeOf(await subject.search(subject.patientQuery(), { credentials: 'none' }));
      if (!/^bearer\b/i.test(challenge) || /\berror=/i.test(challenge)) throw new Deviation(challenge);
      return challenge;
    },
  },
  {
    id: 'SM-12',
    name: 'challenge-of-bad-token',
    level: 'MUST',
    sentence: 'A request with a bad token gets a Bearer challenge that says invalid_token.',
    expected: '401, WWW-Authenticate: Bearer … error="invalid_token"',
    needs: ['base', 'patient'],
    async run(subject) {
      const challenge = challengeOf(await subject.search(subject.patientQuery(), { credentials: BAD_TOKEN }));
      if (!/^bearer\b.*\berror="?invalid_token\b/i.test(challenge)) throw new Deviation(challenge);
      return challenge;
    },
  },
  {
    id: 'IA-6',
    name: 'narrow-scope',
    level: 'MUST',
    sentence: 'A token whose scopes do not cover ImagingStudy finds and retrieves nothing.',
    expected: '403 for a search and for a study, error="insufficient_scope"',
    needs: ['base', 'patient', 'narrowToken'],
    async run(subject) {
      const credentials = subject.options.narrowToken!;
      const search = await subject.search(subject.patientQuery(), { credentials });
      expectStatus(search, 403);
      if (!(await hasOpenEndpoint(subject)))
        expectStatus(await subject.get((await subject.study()).url, { credentials }), 403);
      const challenge = search.headers.get('www-authenticate') ?? '';
      if (!challenge.includes('insufficient_scope'))
        throw new Deviation(`403 with ${challenge || 'no challenge'}`);
      return challenge;
    },
  },
];

function challengeOf(answer: Answer): string {
  expectStatus(answer, 401);
  return answer.headers.get('www-authenticate') ?? 'no WWW-Authenticate';
}
