import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import type { AuditEvent } from 'fhir/r4.js';
import { getIntrospectionQuery } from 'graphql';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { DEMO_PATIENT } from '../../pages/first-request.ts';
import { startGateway, type GatewayProcess } from '../setup/gateway.ts';
import { connected, Login, signInByAddress, textOf, type Assistant } from './assistant.ts';

const OTHER = 'demo-george-whitfield';
let gateway: GatewayProcess;
let url: string;
let login: Login;
let assistant: Assistant;
/** A study of the patient, and one of another patient. */
let study: string;
let foreign: string;

beforeAll(async () => {
  gateway = await startGateway();
  url = `${gateway.url}/demo/mcp`;
  login = new Login();
  await signInByAddress(url, DEMO_PATIENT, login);
  assistant = await connected(url, login);
  study = await firstStudy(assistant);
  foreign = await firstStudy(await connected(url, await signInByAddress(url, OTHER)));
}, 120_000);
afterAll(() => gateway?.stop());

async function firstStudy(of: Assistant): Promise<string> {
  // The folder is indexed after the start.
  return vi.waitFor(async () => {
    const { ImagingStudyList: studies } = await of.data('{ ImagingStudyList { id } }');
    return String(studies![0]!['id']);
  }, 60_000);
}

/** Returns the audit records among the last lines of the process. */
function lastRecords(): AuditEvent[] {
  const lines = gateway.log().split('\n');
  return lines
    .filter((line) => line.startsWith('{"resourceType":"AuditEvent"') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as AuditEvent);
}

describe('SM-20 an assistant finds its way', () => {
  test('from the address alone to a token, by the metadata of OAuth', async () => {
    const answer = await fetch(url, { method: 'POST' });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toContain(
      `resource_metadata="${gateway.url}/.well-known/oauth-protected-resource/demo/mcp"`,
    );
    await expect(connected(url)).rejects.toThrow();
    const unknown = new Login();
    await expect(connected(url, unknown)).rejects.toThrow(UnauthorizedError);
    expect(unknown.sentTo!.href).toMatch(`${gateway.url}/demo/oauth/authorize`);
    expect(login.tokens()!.scope!.split(' ')).toContain('patient/*.rs');
  });

  test('by instructions whose first query works', async () => {
    const instructions = assistant.client.getInstructions()!;
    const [first] = /^\{ .* \}$/m.exec(instructions)!;
    const { PatientList: patients } = await assistant.data(first!);
    expect(patients).toHaveLength(1);
    expect(patients![0]).toMatchObject({ id: DEMO_PATIENT, name: [{ family: 'Castellanos' }] });
  });

  test('to four tools that only read, each with a description of every argument', async () => {
    const { tools } = await assistant.client.listTools();
    expect(tools.map(({ name }) => name)).toEqual([
      'describe_schema',
      'query',
      'search_timeline',
      'rendered_image',
    ]);
    for (const { annotations, inputSchema } of tools) {
      expect(annotations).toMatchObject({ readOnlyHint: true, destructiveHint: false });
      for (const property of Object.values(inputSchema.properties!))
        expect(property).toHaveProperty('description');
    }
  });
});

describe('SM-20 describe_schema', () => {
  test.each<[object, string]>([
    [{ type: 'Patient' }, 'birthDate: date - '],
    [{ type: 'Patient', field: 'timeline' }, 'Entries on a page: 20, at most 500'],
    [{ type: 'TimelineKind' }, 'vitalSigns - '],
    [{ search: 'radiation dose' }, 'RadiationDose: One radiation dose report'],
  ])('%j', async (input, line) => {
    const text = await assistant.text('describe_schema', input as Record<string, unknown>);
    expect(text).toContain(line);
    expect(text.length).toBeLessThan(20_000);
  });

  test('gives a large type in portions', async () => {
    const lines: string[] = [];
    let next: number | undefined = 0;
    for (let pages = 0; next !== undefined && pages < 20; pages++) {
      const text: string = await assistant.text('describe_schema', { type: 'Query', offset: next });
      const [all, offset] = /\nThere is more: give offset (\d+)\.$/.exec(text) ?? [''];
      lines.push(
        ...text
          .slice(0, text.length - all.length)
          .split('\n')
          .slice(1),
      );
      next = offset === undefined ? undefined : Number(offset);
    }
    expect(lines.length).toBeGreaterThan(100);
    expect(new Set(lines).size).toBe(lines.length);
  });

  test.each<[object, string]>([
    [{ type: 'Patients' }, 'not_found: There is no type Patients. Did you mean Patient?'],
    [{ type: 'Patient', field: 'birthdate' }, 'Did you mean birthDate?'],
    [{}, 'invalid_request: Give a type'],
  ])('%j: what to do', async (input, message) => {
    const result = await assistant.call('describe_schema', input as Record<string, unknown>);
    expect(result.isError).toBe(true);
    expect(textOf(result)).toContain(message);
  });
});

describe('SM-20 the record and the images', () => {
  test('query gives data with the same decimals as /graphql, and once: not again as structured content', async () => {
    const query = `{ ObservationList(patient: ["${DEMO_PATIENT}"]) { id valueQuantity { value } } }`;
    const result = await assistant.call('query', { query });
    const answer = await fetch(`${gateway.url}/demo/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${login.tokens()!.access_token}`,
      },
      body: JSON.stringify({ query }),
    });
    expect(textOf(result)).toBe(await answer.text());
    expect(result.structuredContent).toBeUndefined();
  });

  test('query refers to describe_schema for an introspection, which no assistant could read', async () => {
    const text = await assistant.text('query', { query: getIntrospectionQuery() });
    expect(text).toBe('invalid_request: Call describe_schema to read about the schema.');
  });

  test('search_timeline finds entries by words, kinds and dates, and continues', async () => {
    const found = async (input: object) => {
      const text = await assistant.text('search_timeline', { patient: DEMO_PATIENT, ...input });
      return JSON.parse(text) as {
        next: string | null;
        entries: { kind: string; date: string; title: string }[];
      };
    };
    const words = await found({ text: 'CHEST ct' });
    expect(words.entries.length).toBeGreaterThan(0);
    for (const entry of words.entries) expect(JSON.stringify(entry).toLowerCase()).toMatch(/chest/);
    const kinds = await found({ kinds: ['encounter'], from: '2025', to: '2026' });
    expect(new Set(kinds.entries.map(({ kind }) => kind))).toEqual(new Set(['encounter']));
    const first = await found({ count: 2 });
    expect(first.entries).toHaveLength(2);
    const second = await found({ count: 2, cursor: first.next });
    expect(second.entries[0]).not.toEqual(first.entries[0]);
    expect((await found({ text: 'no such words' })).entries).toEqual([]);
  });

  test.each([
    ['jpeg', {}],
    ['png', { size: 200, window: { center: 40, width: 400 } }],
  ])('rendered_image gives a %s of the size that was asked for', async (format, options) => {
    const { content } = await assistant.call('rendered_image', { study, format, ...options });
    const [picture] = content;
    if (picture?.type !== 'image') throw new Error('no picture');
    expect(picture.mimeType).toBe(`image/${format}`);
    const { width, height, format: decoded } = await sharp(Buffer.from(picture.data, 'base64')).metadata();
    expect(decoded).toBe(format);
    expect(Math.max(width, height)).toBe('size' in options ? options.size : 512);
  });

  test('rendered_image gives one frame of an instance, by what query gives', async () => {
    const { ImagingStudyList: studies } = await assistant.data(
      `{ ImagingStudyList(_id: ["${study}"]) { series { uid modality { code } instance { uid } } } }`,
    );
    const series = studies![0]!['series'] as {
      uid: string;
      modality: { code: string };
      instance: { uid: string }[];
    }[];
    const { uid, instance } = series.find(({ modality }) => modality.code === 'CT')!;
    const input = { study, series: uid, instance: instance[0]!.uid, frame: 1, size: 64 };
    expect(JSON.parse(await assistant.text('rendered_image', input))).toMatchObject({
      study,
      series: uid,
      instance: instance[0]!.uid,
      frame: 1,
      mimeType: 'image/jpeg',
    });
    const { series: _, ...without } = input;
    expect(await assistant.text('rendered_image', without)).toContain('Give the series of the instance too.');
  });

  test('each call is in the audit, with its tool and the client', async () => {
    await assistant.call('rendered_image', { study, size: 32 });
    await vi.waitFor(() => {
      const [record] = lastRecords().slice(-1);
      expect(record!.entity).toContainEqual(expect.objectContaining({ name: 'rendered_image' }));
      expect(record!.agent[0]!.who!.identifier!.value).toBe(login.client!.client_id);
      expect(JSON.stringify(record)).toContain(study);
      expect(record!.outcome).toBe('0');
    }, 10_000);
  });
});

describe('SM-20, IA-7 another patient is refused by every tool, as by GraphQL and DICOMweb', () => {
  test.each<[string, () => Record<string, unknown>, string]>([
    ['query', () => ({ query: `{ Patient(id: "${OTHER}") { birthDate } }` }), '"code":"forbidden"'],
    ['query', () => ({ query: `{ ConditionList(patient: ["${OTHER}"]) { id } }` }), '"code":"forbidden"'],
    ['query', () => ({ query: `{ ImagingStudy(id: "${foreign}") { id } }` }), '"code":"not_found"'],
    ['search_timeline', () => ({ patient: OTHER }), 'forbidden: '],
    ['rendered_image', () => ({ study: foreign }), 'not_found: There is no such object for this caller.'],
  ])('%s', async (tool, input, message) => {
    const result = await assistant.call(tool, input());
    expect(result.isError).toBe(true);
    expect(textOf(result)).toContain(message);
    await vi.waitFor(() => {
      const [record] = lastRecords().slice(-1);
      expect(record!.entity).toContainEqual(expect.objectContaining({ name: tool }));
    }, 10_000);
  });
});

describe('SM-20 other tenants', () => {
  test('a tenant in the URL has it when its configuration says so', async () => {
    const tenant = (mcp: object) => {
      const images = { type: 'dicom-web', endpoint: 'https://pacs.example.org/rs', lookup: 'studies-by-mrn' };
      const authorization = { type: 'mock', disableAuthzChecks: true };
      const file = { authorization, clinical: { type: 'none' }, images, mcp };
      return `${gateway.url}/dyn/${Buffer.from(JSON.stringify(file)).toString('base64url')}/mcp`;
    };
    const { client } = await connected(tenant({ enabled: true }));
    expect((await client.listTools()).tools).toHaveLength(4);
    expect((await fetch(tenant({}), { method: 'POST' })).status).toBe(404);
  });

  test('a tenant without it answers as at an unknown path, and has no metadata for it', async () => {
    const answers = ['hardcoded-patient/mcp', 'hardcoded-patient/nothing'].map(async (path) => {
      const answer = await fetch(`${gateway.url}/${path}`, { method: 'POST' });
      return [answer.status, await answer.text()];
    });
    const [off, unknown] = await Promise.all(answers);
    expect(off).toEqual(unknown);
    expect(off![0]).toBe(404);
    const metadata = `${gateway.url}/.well-known/oauth-protected-resource/hardcoded-patient`;
    expect((await fetch(metadata)).status).toBe(200);
    expect((await fetch(`${metadata}/mcp`)).status).toBe(404);
  });
});
