import { expect } from 'vitest';
import type { AuditEvent } from '../../schema/access/audit.ts';
import { freePort } from './setup/free-port.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

/** Patients of the demonstration. */
export const HELEN = '87a339d0-8cae-418e-89c7-8651e6aab3c6';
export const GEORGE = 'demo-george-whitfield';
export const SAMIR = 'demo-samir-haddad';
/** Keywords of which the tenants `unbound` and `archive` have columns. */
export const DICOM = ['SliceThickness', 'PixelSpacing', 'StudyDate', 'Manufacturer', 'BitsAllocated'];
const PASSWORD = 'a-secret-of-this-test';

/** CT studies of women with a diagnosis, with their last HbA1c: of `docs/analyse-data.md`. */
export const QUESTION = `WITH a1c AS (SELECT patient_id, arg_max(value, effective) AS last
  FROM observation WHERE code = '4548-4' GROUP BY 1)
SELECT s.id, s.started, a1c.last FROM imaging_study s
JOIN patient p USING (patient_id) JOIN a1c USING (patient_id)
WHERE s.modality = 'CT' AND p.gender = 'female' AND p.id IN
  (SELECT patient_id FROM condition WHERE code = :code)`;

export interface SqlGateway {
  gateway: TestGateway;
  audited: AuditEvent[];
  /** Returns the token of a client: `analyst` and `rival` for three patients, `narrow` for one. */
  tokenOf(client: string, scope?: string): Promise<string>;
  /** @param path below `/fhir` of the tenant with tables, or an address */
  ask(path: string, token: string, init?: RequestInit): Promise<Response>;
  /** Asks until the tables are made. */
  sql(text: string, token: string, query?: string, operation?: string): Promise<Response>;
}

/** Starts a gateway with the demonstration's data: `clinic` has tables, `off` has none, `unbound` has a token for
 * all, and `archive` too, with the images of `off` as its archive. */
export async function startSqlGateway(): Promise<SqlGateway> {
  const audited: AuditEvent[] = [];
  const port = await freePort();
  const gateway = await buildTestGateway(
    ({ images, patients }) => {
      const data = {
        clinical: { type: 'store', path: patients },
        images: { type: 'folder', path: images, lookup: 'studies-by-mrn' },
      };
      const names = ['analyst', 'narrow', 'rival'];
      const authorization = {
        type: 'embedded',
        modes: ['backend-services'],
        clients: names.map((client_id) => ({ client_id, client_secret: PASSWORD })),
        policy: [
          { client_id: 'analyst', patients: [HELEN, GEORGE, SAMIR] },
          { client_id: 'rival', patients: [HELEN, GEORGE, SAMIR] },
          { client_id: 'narrow', patients: [GEORGE] },
        ],
      };
      return {
        clinic: { authorization, ...data, analysis: { enabled: true } },
        off: { authorization: { type: 'mock', disableAuthzChecks: true }, ...data },
        unbound: {
          authorization: { type: 'mock', disableAuthzChecks: true },
          ...data,
          analysis: { enabled: true, dicom: DICOM },
        },
        archive: {
          authorization: { type: 'mock', disableAuthzChecks: true },
          clinical: data.clinical,
          images: {
            type: 'dicom-web',
            endpoint: `http://127.0.0.1:${port}/off/dicomweb`,
            lookup: 'studies-by-mrn',
          },
          analysis: { enabled: true, instances: true, dicom: DICOM },
        },
      };
    },
    undefined,
    (_tenant, event) => void audited.push(event),
    { port },
  );
  const ask: SqlGateway['ask'] = (path, token, init = {}) =>
    fetch(path.startsWith('http') ? path : `${gateway.baseUrl}/clinic/fhir/${path}`, {
      ...init,
      headers: {
        ...(init.headers as Record<string, string>),
        ...(token && { authorization: `Bearer ${token}` }),
      },
      redirect: 'manual',
    });
  return {
    gateway,
    audited,
    ask,
    async tokenOf(client, scope = 'system/*.rs') {
      const answer = await fetch(`${gateway.baseUrl}/clinic/oauth/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`${client}:${PASSWORD}`)}` },
        body: new URLSearchParams({ grant_type: 'client_credentials', scope }),
      });
      return ((await answer.json()) as { access_token: string }).access_token;
    },
    async sql(text, token, query = '', operation = '$sql-run') {
      const sent = { method: 'POST', headers: { 'content-type': 'application/sql' }, body: text };
      for (;;) {
        const answer = await ask(operation + query, token, sent);
        if (answer.status !== 503) return answer;
        expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    },
  };
}

/** Returns the rows of an answer as NDJSON. */
export async function rowsOf(answer: Response): Promise<Record<string, unknown>[]> {
  const text = await answer.text();
  expect([answer.status, text]).toEqual([200, text]);
  return text.split('\n').flatMap((line) => (line ? [JSON.parse(line) as Record<string, unknown>] : []));
}

/** Returns the status and the sentence of a refusal. */
export async function refusalOf(answer: Response): Promise<[status: number, text: string]> {
  const { issue } = (await answer.json()) as { issue: { diagnostics: string }[] };
  return [answer.status, issue[0]!.diagnostics];
}
