import { buildSubgraphSchema } from '@apollo/subgraph';
import { parse } from 'graphql';
import { readFileSync } from 'node:fs';
import type { Access } from '../../schema/access/access.ts';
import { requirePatient } from '../../schema/access/access.ts';
import { Fault, faultHeaders, faultJson, faultOutcome, toFault } from '../../schema/fault/fault.ts';
import { imagesRoute } from '../../schema/http/served.ts';
import { fhirRoute } from '../../schema/fhir/fhir-request.ts';
import { FHIR_JSON } from '../../schema/fhir/fhir.ts';
import { tenantBase } from '../../schema/http/request.ts';
import { requireScope } from '../../schema/access/scopes.ts';
import type { AppDeps } from '../app.ts';

/** Subgraphs with one patient, one condition and one study, for tests of authorization and of the federation. */

interface Core {
  access: Access;
  signal?: AbortSignal | undefined;
}
type Resolvers = Record<string, Record<string, unknown>>;
const sdl = (name: string) =>
  parse(readFileSync(new URL(`../../schema/${name}.graphql`, import.meta.url), 'utf8'));
const schemaOf = (name: string, resolvers: Resolvers) =>
  buildSubgraphSchema([{ typeDefs: sdl(name), resolvers: resolvers as never }]);

/** Failures that a test can cause. */
export interface Breakage {
  /** Thrown by every clinical field, or by every imaging field. */
  clinical?: unknown;
  imaging?: unknown;
  /** Delays the conditions until it resolves. */
  conditions?: (signal: AbortSignal | undefined) => Promise<unknown>;
}

export function standInClinical(broken: Breakage = {}): AppDeps['clinical'] {
  const fail = () => {
    if (broken.clinical) throw broken.clinical;
  };
  const patient = (id: string, { access }: Core) => {
    requirePatient(access, id);
    return { id };
  };
  const resolvers: Resolvers = {
    Query: {
      Patient: (_: unknown, { id }: { id: string }, { clinical }: { clinical: Core }) =>
        patient(id, clinical),
    },
    Patient: {
      __resolveReference: ({ id }: { id: string }, { clinical }: { clinical: Core }) => patient(id, clinical),
      birthDate: (_: unknown, __: unknown, { clinical }: { clinical: Core }) => {
        fail();
        requireScope(clinical.access, 'Patient', 'r');
        return '1970-01-01';
      },
      ConditionList: async (_: unknown, __: unknown, { clinical }: { clinical: Core }) => {
        fail();
        await broken.conditions?.(clinical.signal);
        requireScope(clinical.access, 'Condition', 's');
        return [{ id: 'c1', code: { text: 'CONFIDENTIAL cough' } }];
      },
    },
  };
  return {
    schema: schemaOf('clinical', resolvers),
    open: (_tenant, access, over) => ({ access, signal: over?.signal }) satisfies Core,
    claims: async () => [],
    async routes(app) {
      app.setErrorHandler((error, request, reply) => {
        const fault = toFault(error);
        const base = tenantBase('http://localhost', request.tenant);
        return reply
          .code(fault.status)
          .headers(faultHeaders(fault, base))
          .type(FHIR_JSON)
          .send(JSON.stringify(faultOutcome(fault)));
      });
      app.get<{ Params: { id: string } }>(
        '/fhir/Patient/:id',
        fhirRoute('read', 'Patient'),
        ({ access, params }, reply) => {
          requireScope(access, 'Patient', 'r');
          requirePatient(access, params.id);
          return reply
            .type(FHIR_JSON)
            .send(JSON.stringify({ resourceType: 'Patient', id: params.id, text: 'CONFIDENTIAL' }));
        },
      );
    },
  };
}

export function standInImaging(broken: Breakage = {}): AppDeps['imaging'] {
  const studies = (_: unknown, __: unknown, { imaging }: { imaging: Core }) => {
    if (broken.imaging) throw broken.imaging;
    requireScope(imaging.access, 'ImagingStudy', 's');
    return [{ id: '1.2.3', description: 'CONFIDENTIAL chest', series: [{ uid: '1.2.3.4' }] }];
  };
  return {
    schema: schemaOf('imaging', {
      Query: {},
      Patient: { __resolveReference: ({ id }: { id: string }) => ({ id }), ImagingStudyList: studies },
    }),
    open: (_tenant, access) => ({ access, find: async () => ({}) }),
    studyImages: () => ({ studiesOf: async () => ({ studies: [], failed: [] }) }),
    rendered: async () => ({ headers: {}, body: new Uint8Array() }),
    async routes(app) {
      app.setErrorHandler((error, request, reply) => {
        const fault = toFault(error);
        const headers = faultHeaders(fault, tenantBase('http://localhost', request.tenant));
        return reply.code(fault.status).headers(headers).send(faultJson(fault));
      });
      app.get<{ Querystring: { PatientID?: string } }>(
        '/dicomweb/studies',
        imagesRoute('search'),
        ({ access, query }) => {
          requireScope(access, 'ImagingStudy', 's');
          if (query.PatientID) throw new Fault('forbidden', 'Another patient.');
          return [{ '0020000D': { vr: 'UI', Value: ['1.2.3'] }, CONFIDENTIAL: true }];
        },
      );
      app.get('/wado/:capability/studies/:studyUid/metadata', imagesRoute('retrieve'), ({ access }) => {
        requireScope(access, 'ImagingStudy', 'r');
        return [{ '0020000D': { vr: 'UI', Value: ['1.2.3'] }, CONFIDENTIAL: true }];
      });
    },
  };
}
