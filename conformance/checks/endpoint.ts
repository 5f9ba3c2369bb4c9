import { endpointOf, endpointReferences, studiesOf } from '../bundle.ts';
import { expectNone } from '../expectations.ts';
import { objectsOf, type Json } from '../json.ts';
import { Blocked } from '../outcome.ts';
import type { Check, Level } from '../requirement.ts';

const CONNECTION_TYPE = 'http://terminology.hl7.org/CodeSystem/endpoint-connection-type';
const REQUIRES_TOKEN = 'requires-access-token';

/** Tells whether an Endpoint says that it needs no token: its address is then a secret by itself. */
export const isOpen = (endpoint: Json): boolean =>
  objectsOf(endpoint['extension']).some(
    ({ url, valueBoolean }) => String(url).endsWith(`/${REQUIRES_TOKEN}`) && valueBoolean === false,
  );

/** Endpoint resources of studies. */
export const ENDPOINT: readonly Check[] = [
  ofEachEndpoint({
    name: 'connection-type',
    level: 'MUST',
    sentence: 'The connection type of an Endpoint is dicom-wado-rs.',
    expected: `connectionType ${CONNECTION_TYPE}|dicom-wado-rs`,
    problems({ connectionType }) {
      const [{ system, code } = {}] = objectsOf([connectionType]);
      const right = system === CONNECTION_TYPE && code === 'dicom-wado-rs';
      return right ? [] : [`connectionType ${String(system)}|${String(code)}`];
    },
  }),
  ofEachEndpoint({
    name: 'address',
    level: 'MUST',
    sentence: 'The address of an Endpoint is the absolute WADO-RS base, to which /studies/{uid} is appended.',
    expected: 'an absolute http or https URL without query, fragment and /studies/…',
    problems({ address }) {
      const url = typeof address === 'string' && URL.canParse(address) ? new URL(address) : undefined;
      const right = url && /^https?:$/.test(url.protocol) && !url.search && !url.hash;
      return right && !/\/studies\//.test(`${url.pathname}/`) ? [] : [`address ${String(address)}`];
    },
  }),
  ofEachEndpoint({
    name: 'members',
    level: 'MUST',
    sentence: 'An Endpoint has a status and a payload type.',
    expected: 'status, payloadType',
    problems: ({ status, payloadType }) => [
      ...(typeof status === 'string' ? [] : ['status is missing']),
      ...(objectsOf(payloadType).length > 0 ? [] : ['payloadType is missing']),
    ],
  }),
  ofEachEndpoint({
    name: REQUIRES_TOKEN,
    level: 'SHOULD',
    sentence: 'An Endpoint says by an extension whether it needs the access token.',
    expected: `an extension …/${REQUIRES_TOKEN} with valueBoolean`,
    problems({ extension }) {
      const said = objectsOf(extension).filter(({ url }) => String(url).endsWith(`/${REQUIRES_TOKEN}`));
      return said.some(({ valueBoolean }) => typeof valueBoolean === 'boolean') ? [] : ['no such extension'];
    },
  }),
];

/** Makes a check of IA-17 that looks at each Endpoint in the page of the search. */
function ofEachEndpoint({
  problems,
  ...texts
}: Pick<Check, 'name' | 'sentence' | 'expected'> & {
  level: Level;
  problems(endpoint: Json): string[];
}): Check {
  return {
    id: 'IA-17',
    needs: ['base', 'patient'],
    ...texts,
    async run(subject) {
      const bundle = await subject.bundle();
      const endpoints = studiesOf(bundle).flatMap((study) =>
        objectsOf(endpointReferences(study).map((reference) => endpointOf(reference, study, bundle))),
      );
      if (endpoints.length === 0) throw new Blocked('the search by patient brings no Endpoint');
      expectNone(endpoints.flatMap(problems));
      return `${endpoints.length} Endpoints`;
    },
  };
}
