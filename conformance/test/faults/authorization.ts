import type { Fault } from '../fault-proxy.ts';
import {
  alters,
  answerOk,
  answers,
  foreignRow,
  foreignStudy,
  status,
  type Options,
  type Row,
} from './row.ts';

/** Lets requests in with the token of the patient that have another one, or none. */
const letsIn =
  (when: (authorization: string | undefined, url: string) => boolean) =>
  ({ token }: Options): Fault => ({
    request: ({ authorization, url }) =>
      when(authorization, url) ? { authorization: `Bearer ${token}` } : {},
  });

const noToken = (authorization: string | undefined) => authorization === undefined;
const otherToken =
  ({ token }: Pick<Options, 'token'>) =>
  (authorization: string | undefined) =>
    authorization !== undefined && authorization !== `Bearer ${token}`;

/** Faults of the checks of tokens. */
export const TOKENS: readonly Row[] = [
  {
    fault: 'studies are found without a token',
    only: ['IA-5', 'IA-23', 'SM-12'],
    found: ['IA-5/search-without-token', 'SM-12/challenge-without-token'],
    plant: letsIn((authorization, url) => noToken(authorization) && url.includes('/ImagingStudy')),
  },
  {
    fault: 'every token is accepted for a search',
    only: ['IA-5', 'IA-23', 'SM-12', 'IA-6'],
    found: [
      'IA-5/search-with-bad-token',
      'IA-5/search-with-unsigned-token',
      'SM-12/challenge-of-bad-token',
      'IA-6/narrow-scope',
    ],
    plant: (options) =>
      letsIn((authorization, url) => otherToken(options)(authorization) && url.includes('/ImagingStudy'))(
        options,
      ),
  },
  {
    fault: 'a JWT is believed without its signature',
    only: ['IA-5'],
    found: ['IA-5/search-with-unsigned-token'],
    plant: letsIn((authorization) => /^Bearer ey[\w-]+\.[\w-]+\.$/.test(authorization ?? '')),
  },
  {
    fault: 'a thumbnail is given without a token',
    only: ['IA-23'],
    found: ['IA-23/retrieval-without-token'],
    plant: letsIn((authorization, url) => noToken(authorization) && url.endsWith('/thumbnail')),
  },
  {
    fault: 'every token is accepted for frames',
    only: ['IA-23'],
    found: ['IA-23/retrieval-with-bad-token'],
    plant: (options) =>
      letsIn((authorization, url) => otherToken(options)(authorization) && url.includes('/frames/'))(options),
  },
  {
    fault: 'a bad token is refused without WWW-Authenticate',
    only: ['IA-5', 'SM-12'],
    found: ['SM-12/challenge-of-bad-token'],
    plant: () => ({
      answer({ authorization, status, headers }) {
        if (authorization !== undefined && status === 401) delete headers['www-authenticate'];
      },
    }),
  },
  {
    fault: 'a token without the scope is let in',
    only: ['IA-6', 'IA-7/wrong-patient'],
    found: ['IA-6/narrow-scope'],
    plant: ({ narrowToken, ...options }) =>
      letsIn((authorization) => authorization === `Bearer ${narrowToken}`)(options),
  },
];

const EMPTY = { resourceType: 'Bundle', type: 'searchset', total: 0, link: [], entry: [] };

/** Faults in what a token reaches. */
export const GRANT: readonly Row[] = [
  {
    fault: 'an empty Bundle instead of 403 for a wrong patient',
    only: ['IA-7', 'IA-13'],
    found: ['IA-7/wrong-patient'],
    plant: ({ otherPatient }) => ({
      answer(exchange) {
        if (exchange.status === 403 && exchange.query.get('patient')?.endsWith(otherPatient!))
          answerOk(exchange, EMPTY);
      },
    }),
  },
  {
    fault: 'a second patient in the list is not checked',
    only: ['IA-7', 'IA-13'],
    found: ['IA-7/patient-list'],
    plant: (options) => ({
      answer(exchange) {
        if (exchange.query.get('patient')?.includes(','))
          answerOk(exchange, { ...EMPTY, entry: [foreignStudy(options)] });
      },
    }),
  },
  {
    fault: 'a foreign study has another 404 than an absent one',
    only: ['IA-7', 'DW-12'],
    found: ['IA-7/foreign-study'],
    plant: ({ otherStudy }) =>
      alters(new RegExp(`/studies/${otherStudy}`), (body) => ({ ...body, message: 'It is not yours.' })),
  },
  {
    fault: 'a foreign study is 403',
    only: ['IA-7', 'DW-12'],
    found: ['IA-7/foreign-study'],
    plant: ({ otherStudy }) => status(new RegExp(`/studies/${otherStudy}/rendered`), 403),
  },
  {
    fault: 'a foreign ImagingStudy is 403',
    only: ['IA-7', 'IA-20'],
    found: ['IA-7/foreign-imaging-study'],
    plant: ({ otherStudy }) => status(new RegExp(`/ImagingStudy/${otherStudy}`), 403),
  },
  {
    fault: 'a search without patient finds those of others',
    only: ['IA-9', 'IA-13'],
    found: ['IA-9/without-patient'],
    plant: (options) =>
      alters(/\/ImagingStudy$/, ({ entry, ...bundle }) => ({
        ...bundle,
        entry: [...entry, foreignStudy(options)],
      })),
  },
  {
    fault: 'encoded dots lead to another study',
    only: ['IA-23'],
    found: ['IA-23/appended-path'],
    plant: () => answers(/%2f\.\.%2f/, (exchange) => answerOk(exchange, [])),
  },
  {
    fault: 'QIDO-RS finds the studies of other patients',
    only: ['IA-23', 'DW-1', 'DW-2'],
    found: ['IA-23/search-within-grant'],
    plant: (options) => alters(/\/dicomweb\/studies$/, (rows) => [...rows, foreignRow(options)]),
  },
];
