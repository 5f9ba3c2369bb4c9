import { expectAnswer, expectNone, expectStatus, listed } from '../expectations.ts';
import { Deviation } from '../outcome.ts';
import type { Check } from '../requirement.ts';

const REQUEST = { 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' };
const ORIGIN = { origin: 'https://app.example' };

/** Requests of pages of other origins. */
export const CROSS_ORIGIN: readonly Check[] = [
  {
    id: 'SM-13',
    name: 'preflight',
    level: 'SHOULD',
    sentence: 'A page of any origin may send its token to FHIR and DICOMweb.',
    expected: 'a preflight answer that allows the origin and the header Authorization',
    needs: ['base', 'patient'],
    async run(subject) {
      const { url } = await subject.study();
      for (const address of [subject.fhir('ImagingStudy'), url]) {
        const ask = { method: 'OPTIONS', headers: { ...ORIGIN, ...REQUEST }, credentials: 'none' } as const;
        const answer = await subject.get(address, ask);
        expectStatus(answer, 200, 204);
        const [origin] = listed(answer.headers, 'access-control-allow-origin');
        if (origin !== '*' && origin !== ORIGIN.origin)
          throw new Deviation(`the origin is not allowed at ${address}`);
        if (!listed(answer.headers, 'access-control-allow-headers').includes('authorization'))
          throw new Deviation(`Authorization is not allowed at ${address}`);
      }
      return 'allowed';
    },
  },
  {
    id: 'SM-13',
    name: 'exposed-headers',
    level: 'SHOULD',
    sentence: 'A page of any origin can read the headers that it needs to act on a refusal.',
    expected: 'Access-Control-Expose-Headers with WWW-Authenticate and Retry-After',
    needs: ['base', 'patient'],
    async run(subject) {
      const answer = await subject.search(undefined, { headers: ORIGIN });
      expectAnswer(answer, 'application/fhir+json');
      const exposed = listed(answer.headers, 'access-control-expose-headers');
      expectNone(
        ['www-authenticate', 'retry-after']
          .filter((name) => !exposed.includes(name))
          .map((name) => `${name} is not exposed`),
      );
      return 'exposed';
    },
  },
];
