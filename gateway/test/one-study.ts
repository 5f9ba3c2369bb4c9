/** A gateway over the studies of `setup/one-study.ts`, and what it shows of them by REST and by GraphQL. */
import type { Bundle, ImagingStudy } from 'fhir/r4.js';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { expect } from 'vitest';
import { logger } from '../http/logger.ts';
import { authorizationServer } from './authorization-server.ts';
import { archiveObjects, INSTANCES, recordResources, uidOf } from './setup/one-study.ts';
import { buildTestGateway } from './test-gateway.ts';

interface Answer {
  data: Record<string, unknown> | null;
  errors?: { path: unknown[]; extensions: { code: string; service?: string } }[];
}

const FIELDS = `id status identifier { value } subject { reference } reasonCode { text } note { text }
  procedureCode { text } basedOn { reference } referrer { reference } encounter { reference } meta { source }
  endpoint { reference } numberOfInstances series { uid wadoUrl thumbnailUrl rows instance { uid rows } }`;

interface Read {
  id: string;
  status: string;
  note: { text: string }[] | null;
  endpoint: unknown[] | null;
  numberOfInstances: number | null;
}

/** Says which halves of a study are shown. */
export function shown({ endpoint, status, numberOfInstances }: Read): string {
  const images = endpoint && numberOfInstances === INSTANCES ? ' with images' : '';
  return `${status}${endpoint && !images ? ' with an endpoint' : images}`;
}

/**
 * Starts the gateway. Its tokens are `p` and `q` for the patients of these names, and for each `{id}-reading`, without the
 * right to search, and `{id}-MG`, for mammograms only.
 * @param more image sources of more tenants, by name: `{name}`, and `all-{name}` and `withholding-{name}` with the
 * authorization of these tenants
 */
export async function startOneStudy(
  more: Record<string, object> = {},
  dimse?: { host: string; port: number; maxBytes: number },
) {
  const ehr = await authorizationServer();
  const directory = await mkdtemp(join(tmpdir(), 'one-study-'));
  await mkdir(join(directory, 'images'));
  for (const [name, bytes] of Object.entries(archiveObjects()))
    await writeFile(join(directory, 'images', name), bytes);
  const ndjson = recordResources().map((one) => JSON.stringify(one));
  await writeFile(join(directory, 'record.ndjson'), ndjson.join('\n'));
  const smart = { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client };
  const clinical = { type: 'store', path: join(directory, 'record.ndjson') };
  const images = { type: 'folder', path: join(directory, 'images'), lookup: 'studies-by-mrn' };
  const away = { type: 'dicom-web', endpoint: 'http://127.0.0.1:1/', lookup: 'studies-by-mrn' };
  const withhold = [{ studyUid: [uidOf('withheld')] }, { modality: ['MG'] }, { security: ['R'] }];
  const lines: string[] = [];
  const write = (chunk: Buffer, _encoding: string, done: () => void) => {
    lines.push(String(chunk));
    done();
  };
  let contradictions = 0;
  const own = { authorization: smart, clinical };
  const all = { ...own, authorization: { type: 'mock', disableAuthzChecks: true } };
  const withholding = { ...own, authorization: { ...smart, withhold } };
  const over = Object.entries(more).flatMap(([name, source]) => [
    [name, { ...own, images: source }],
    [`all-${name}`, { ...all, images: source }],
    [`withholding-${name}`, { ...withholding, images: source }],
  ]);
  const gateway = await buildTestGateway(
    () => ({
      own: { ...own, images },
      all: { ...all, images },
      backend: {
        ...own,
        images,
        authorization: {
          ...smart,
          modes: ['backend-services'],
          policy: [{ client_id: 'app', patients: ['p', 'r'] }],
        },
      },
      withholding: { ...withholding, images },
      away: { ...own, images: away },
      'away-and-withholding': { ...withholding, images: away },
      delayed: { ...own, images: { ...images, delay: { lookupUntil: 9e9 } } },
      ...Object.fromEntries(over),
    }),
    { images: '', patients: '' },
    undefined,
    {
      log: logger('info', new Writable({ write })),
      onContradiction: () => void contradictions++,
      ...(dimse && { dimse }),
    },
  );
  const exp = Math.floor(Date.now() / 1000) + 3600;
  ehr.tokens.set('backend', { client_id: 'app', exp, scope: 'system/*.rs' });
  for (const id of ['p', 'q', 'r']) {
    const identifier = [{ value: `MRN-${id}`, type: { coding: [{ code: 'MR' }] } }];
    ehr.patients.set(id, { resourceType: 'Patient', id, identifier });
    const token = { client_id: 'app', exp, patient: id };
    ehr.tokens.set(id, { ...token, scope: 'patient/*.rs' });
    ehr.tokens.set(`${id}-reading`, { ...token, scope: 'patient/*.r' });
    ehr.tokens.set(`${id}-MG`, { ...token, scope: 'patient/ImagingStudy.rs?modality=MG' });
  }

  async function rest(tenant: string, path: string, token = 'p') {
    const headers = { authorization: `Bearer ${token}` };
    const answer = await gateway.app.inject({ url: `/${tenant}/fhir/${path}`, headers });
    const body = answer.json<Omit<ImagingStudy, 'resourceType'> & Pick<Bundle, 'entry'>>();
    return { status: answer.statusCode, headers: answer.headers, body };
  }

  async function graphql(tenant: string, query: string, token = 'p') {
    const headers = { authorization: `Bearer ${token}` };
    const answer = await gateway.app.inject({
      method: 'POST',
      url: `/${tenant}/graphql`,
      headers,
      payload: { query },
    });
    return answer.json<Answer>();
  }

  return {
    rest,
    graphql,
    /** Returns the contradictions that were counted, and what was logged, since the call before. */
    reported() {
      const all = { contradictions, logged: lines.splice(0).join('') };
      contradictions = 0;
      return all;
    },

    /** Reads a study by REST and by GraphQL, which have to agree; undefined when there is none. */
    async read(tenant: string, id: string, token = 'p'): Promise<Read | undefined> {
      const { status, body } = await rest(tenant, `ImagingStudy/${id}`, token);
      const { data, errors } = await graphql(tenant, `{ ImagingStudy(id: "${id}") { ${FIELDS} } }`, token);
      const inGraph = data?.['ImagingStudy'] as Read | null;
      if (status !== 200) {
        expect([status, inGraph, errors?.[0]?.extensions.code]).toEqual([404, null, 'not_found']);
        return undefined;
      }
      expect(errors).toBeUndefined();
      expect(inGraph).toMatchObject({
        id: body.id,
        status: body.status,
        note: body.note ?? null,
        endpoint: body.endpoint?.map(({ reference }) => ({ reference })) ?? null,
        subject: { reference: body.subject.reference },
      });
      expect(JSON.stringify(body)).not.toContain('elsewhere');
      return inGraph!;
    },

    /** Lists the studies of a patient by REST and by GraphQL, which have to agree: what is shown of each, by id. */
    async list(tenant: string, patient = 'p', token = patient): Promise<Record<string, string>> {
      const { body } = await rest(tenant, `ImagingStudy?patient=${patient}`, token);
      const query = `{ Patient(id: "${patient}") { ImagingStudyList { ${FIELDS} } } }`;
      const { data } = await graphql(tenant, query, token);
      const inGraph = (data!['Patient'] as { ImagingStudyList: Read[] }).ImagingStudyList;
      const matches = (body.entry ?? []).filter(({ search }) => search?.mode === 'match');
      expect(inGraph.map(({ id }) => id)).toEqual(matches.map(({ resource }) => resource!.id));
      return Object.fromEntries(inGraph.map((one) => [one.id, shown(one)]));
    },

    async close() {
      await gateway.close();
      await ehr.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
