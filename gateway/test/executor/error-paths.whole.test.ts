/**
 * FG-10: each field that is null because something failed has an error with its own path, in every arrangement and by every
 * way to execute an operation; and an empty list is never given for what could not be read.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Access } from '../../../schema/access/access.ts';
import { parseScopes } from '../../../schema/access/scopes.ts';
import { joinedTypes } from '../../../schema/fhir/joined-types.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { ServiceName } from '../../federation/request/service-name.ts';
import { tenantsOf } from '../gateway-alone.ts';
import { objects, RECORD } from '../joins/cases.ts';
import { executorServers, type ExecutorServers } from './servers.ts';

let directory: string;
let servers: ExecutorServers;
/** Tenants over the same data: all is there, no archive answers, the EHR does not answer. */
let tenants: Record<'whole' | 'noImages' | 'noRecord', Tenant>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'error-paths-'));
  const data = { images: join(directory, 'images'), patients: join(directory, 'record.ndjson') };
  await mkdir(data.images);
  const files = objects().map((bytes, index) => writeFile(join(data.images, `${index}.dcm`), bytes));
  await Promise.all(files);
  await writeFile(data.patients, RECORD.map((one) => JSON.stringify(one)).join('\n'));
  const authorization = { type: 'mock', disableAuthzChecks: true };
  const clinical = { type: 'store', path: data.patients };
  const lookup = 'studies-by-mrn';
  const images = { type: 'folder', path: data.images, lookup };
  const nowhere = 'http://127.0.0.1:1/';
  const { all } = tenantsOf({
    whole: { authorization, clinical, images },
    noImages: { authorization, clinical, images: { type: 'dicom-web', endpoint: nowhere, lookup } },
    noRecord: { authorization, clinical: { type: 'fhir', baseUrl: nowhere }, images },
  });
  tenants = Object.fromEntries(all.map((one) => [one.key, one])) as typeof tenants;
  servers = await executorServers(directory);
  const ready = async () =>
    expect((await ask('compiled', '{ ImagingStudyList { id } }', { access: LAUNCHED })).errors).toEqual([]);
  await vi.waitFor(ready, 60_000);
}, 120_000);
afterEach(() => servers.away.clear());
afterAll(async () => {
  await servers?.close();
  await rm(directory, { recursive: true, force: true });
});

const WAYS = ['compiled', 'split', 'planned', 'plannedSplit'] as const;
type Way = (typeof WAYS)[number];

interface GraphError {
  message: string;
  path?: readonly (string | number)[];
  extensions?: Record<string, unknown>;
}

async function ask(way: Way, query: string, { tenant = 'whole', access = SYSTEM }: Partial<Asked> = {}) {
  const answer = await servers[way]({ query, access, tenant: tenants[tenant] });
  return { data: JSON.parse(answer.data) as unknown, errors: answer.errors as readonly GraphError[] };
}

interface Asked {
  tenant: keyof typeof tenants;
  access: Access;
}

const common = { tenant: 't', expires: Date.now() / 1000 + 3600 };
const SYSTEM: Access = { ...common, permissions: parseScopes('system/*.rs'), patients: 'all' };
const identifier = [{ value: 'MRN-ana', type: { coding: [{ code: 'MR' }] } }];
const LAUNCHED: Access = {
  ...common,
  permissions: parseScopes('patient/*.rs'),
  patients: [{ id: 'ana', identity: { id: 'ana', identifier, birthDate: '1970-01-01' } }],
};

type Path = readonly (string | number)[];

/** Returns the paths at which an answer has null without an error of its own, or an empty list, for what the whole answer has. */
function unexplained(given: unknown, whole: unknown, errors: readonly GraphError[], at: Path = []): string[] {
  const isNothing = (value: unknown) => value === null || (Array.isArray(value) && value.length === 0);
  if (isNothing(whole)) return [];
  if (given === null && errors.some(({ path = [] }) => at.every((key, index) => path[index] === key)))
    return [];
  if (isNothing(given)) return [at.join('.')];
  if (typeof whole !== 'object') return [];
  const entries = Object.entries(given as object) as [string, unknown][];
  return entries.flatMap(([key, one]) => {
    const isItem = Array.isArray(given) && Array.isArray(whole);
    // What the record alone has is missing in a list without the record.
    const other = isItem
      ? (whole as { id?: unknown }[]).find(({ id }) => id === (one as { id?: unknown } | null)?.id)
      : (whole as Record<string, unknown>)[key];
    return other === undefined ? [] : unexplained(one, other, errors, [...at, isItem ? Number(key) : key]);
  });
}

/** Returns the values that an answer has at the paths of its errors. */
const named = (data: unknown, errors: readonly GraphError[]): unknown[] =>
  errors.map(({ path = [] }) => {
    let value = data;
    for (const key of path) value = value === null ? null : (value as Record<string, unknown>)[key];
    return path.length === 0 ? 'no path' : value;
  });

const OF_STUDY = `${joinedTypes.map((type) => `${type}List { id }`).join(' ')} sameAccession { id } priors { id }`;
const OF_PATIENT =
  'ImagingStudyList { id } few: ImagingStudyList(_count: 1) { id } ImagingStudyConnection { count edges { resource { id } } }';

const CASES: readonly [
  what: string,
  tenant: keyof typeof tenants,
  away: ServiceName | undefined,
  query: string,
  access: Access,
][] = [
  ['images of patients', 'noImages', undefined, `{ PatientList { id birthDate ${OF_PATIENT} } }`, SYSTEM],
  [
    'images of a patient',
    'noImages',
    undefined,
    `{ Patient(id: "ana") { id ${OF_PATIENT} ConditionList { id } } }`,
    LAUNCHED,
  ],
  [
    'images at the root',
    'noImages',
    undefined,
    '{ ImagingStudyList { id } ImagingStudyConnection { count } PatientList { id } }',
    SYSTEM,
  ],
  [
    'images of resources that are joined',
    ...(['noImages', undefined] as const),
    `{ Patient(id: "ana") { ${joinedTypes.map((type) => `${type}List { id ImagingStudyList { id } again: ImagingStudyList(_count: 1) { id } }`).join(' ')} } }`,
    LAUNCHED,
  ],
  [
    'images of reports',
    'noImages',
    undefined,
    '{ DiagnosticReportList { id priors { id } ImagingStudyList { id } imagingStudy { resource(optional: true) { ... on ImagingStudy { id } } } } }',
    LAUNCHED,
  ],
  ['the record of studies', 'noRecord', undefined, `{ ImagingStudyList { id started ${OF_STUDY} } }`, SYSTEM],
  [
    'the record of a launched patient’s studies',
    'noRecord',
    undefined,
    `{ ImagingStudyList { id started ${OF_STUDY} measurements { id } dose { report } } }`,
    LAUNCHED,
  ],
  [
    'the record of a patient',
    'noRecord',
    undefined,
    '{ Patient(id: "ana") { id birthDate gender name { family } ConditionList { id } ObservationList { id } ImagingStudyList { id } timeline { entries { kind } } trend(code: ["8480-6"]) { series { unit } } } }',
    LAUNCHED,
  ],
  [
    'the images’ process',
    'whole',
    'imaging',
    `{ PatientList { id birthDate ${OF_PATIENT} } ImagingStudyList { id } }`,
    SYSTEM,
  ],
  [
    'the record’s process',
    'whole',
    'clinical',
    `{ ImagingStudyList { id started ${joinedTypes.map((type) => `${type}List { id }`).join(' ')} } PatientList { id } }`,
    LAUNCHED,
  ],
];

describe.each(CASES)('without an answer: %s', (_what, tenant, away, query, access) => {
  const ways = away ? WAYS.filter((way) => /split/i.test(way)) : WAYS;
  test.each(ways)('%s: each null has its error, each error its null', async (way) => {
    const whole = await ask('compiled', query, { access });
    expect(whole.errors).toEqual([]);
    if (away) servers.away.add(away);
    const { data, errors } = await ask(way, query, { tenant, access });
    expect(errors.length).toBeGreaterThan(0);
    expect(unexplained(data, whole.data, errors)).toEqual([]);
    const others = named(data, errors).filter((value) => value !== null);
    // Part of a list: its patients are not known without the record.
    for (const value of others) expect(value).toEqual(expect.any(Object));
  });
});
