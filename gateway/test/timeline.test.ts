/** The timeline and a trend of the demonstration's patients, through the whole gateway. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

const PATIENT = 'demo-george-whitfield';

interface Study {
  id: string;
  started: string | null;
  modality: { code: string }[];
}
interface Entry {
  kind: string;
  date: string | null;
  title: string;
  resource: { __typename: string; id?: string } | null;
  studies: Study[] | null;
}
interface Timeline {
  entries: Entry[];
  missing: { type: string; code: string }[];
  next: string | null;
}
interface Answer {
  data: { Patient: Record<string, unknown> & { timeline: Timeline } };
  errors?: { message: string; path: string[]; extensions: { code: string; service: string } }[];
}

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await buildTestGateway(({ images, patients }) => {
    const tenant = (withhold: object[], archives: unknown) => ({
      authorization: { type: 'mock', disableAuthzChecks: true, withhold },
      clinical: { type: 'store', path: patients },
      images: archives,
    });
    const folder = { type: 'folder', path: images, lookup: 'studies-by-mrn' };
    const away = { type: 'dicom-web', endpoint: 'http://127.0.0.1:1/', lookup: 'studies-by-mrn' };
    return {
      all: tenant([], folder),
      withheld: tenant([{ modality: ['XA'] }], folder),
      away: tenant([], away),
      halved: tenant([], [folder, away]),
    };
  });
}, 60_000);
afterAll(() => gateway.close());

const TIMELINE = `timeline(_count: 200) { next missing { type code } entries { kind date title
  resource { __typename ... on DiagnosticReport { id } ... on ImagingStudy { id } }
  studies { id started modality { code } } } }`;

async function ask(tenant: string, fields: string): Promise<Answer> {
  const query = `{ Patient(id: "${PATIENT}") { ${fields} } }`;
  const answer = await gateway.app.inject({ method: 'POST', url: `/${tenant}/graphql`, payload: { query } });
  return answer.json();
}

const shownStudies = ({ entries }: Timeline) => entries.flatMap(({ studies }) => studies ?? []);

describe('FG-17 a timeline through the gateway', () => {
  test('of one year has what began before and is still active', async () => {
    const query = `{ Patient(id: "87a339d0-8cae-418e-89c7-8651e6aab3c6") {
      timeline(from: "2025", to: "2025") { entries { kind date resource { __typename ... on Condition { id } } } } } }`;
    const answer = await gateway.app.inject({ method: 'POST', url: '/all/graphql', payload: { query } });
    const { entries } = answer.json<Answer>().data.Patient.timeline;
    expect(entries).toHaveLength(12);
    const conditions = entries.filter(({ kind }) => kind === 'condition');
    expect(conditions.map(({ date }) => date!.slice(0, 4))).toEqual(['2025', '2023', '2019', '2014', '2011']);
  });

  test('has each study once or with each of its reports, as the joins of reports say', async () => {
    const lists = 'DiagnosticReportList { id ImagingStudyList { id } } ImagingStudyList { id }';
    const { data, errors } = await ask('all', `${TIMELINE} ${lists}`);
    expect(errors).toBeUndefined();
    const { timeline, DiagnosticReportList, ImagingStudyList } = data.Patient as never as {
      timeline: Timeline;
      DiagnosticReportList: { id: string; ImagingStudyList: { id: string }[] }[];
      ImagingStudyList: { id: string }[];
    };
    const reports = timeline.entries.filter(({ kind }) => kind === 'report');
    expect(reports.length).toBeGreaterThan(0);
    for (const { resource, studies } of reports) {
      const joined = DiagnosticReportList.find(({ id }) => id === resource!.id)!.ImagingStudyList;
      expect(studies!.map(({ id }) => id).sort()).toEqual(joined.map(({ id }) => id).sort());
    }
    const alone = timeline.entries.filter(({ kind }) => kind === 'study');
    expect(alone.every(({ resource, studies }) => resource!.id === studies![0]!.id)).toBe(true);
    const ids = (studies: readonly { id: string }[]) => [...new Set(studies.map(({ id }) => id))].sort();
    expect(ids(shownStudies(timeline))).toEqual(ids(ImagingStudyList));
    const times = timeline.entries.map(({ date }) => Date.parse(date ?? '0001-01-01'));
    expect(times).toEqual(times.toSorted((a, b) => b - a));
  });

  test('IA-31 a withheld study is not on it, nor with its report', async () => {
    const modalities = async (tenant: string) => {
      const { data, errors } = await ask(tenant, TIMELINE);
      expect(errors).toBeUndefined();
      return new Set(
        shownStudies(data.Patient.timeline).flatMap(({ modality }) => modality.map(({ code }) => code)),
      );
    };
    expect(await modalities('all')).toContain('XA');
    expect(await modalities('withheld')).not.toContain('XA');
  });

  test('FG-10 without its archive it has the record, and an error that names the studies', async () => {
    const keys = TIMELINE.replace('started modality { code }', '').replace('... on ImagingStudy { id }', '');
    const { data, errors } = await ask('away', keys);
    expect(data.Patient.timeline.missing).toMatchObject([{ type: 'ImagingStudy' }]);
    expect(data.Patient.timeline.entries.some(({ kind }) => kind === 'report')).toBe(true);
    expect(errors).toHaveLength(1);
    expect(errors![0]).toMatchObject({ path: ['Patient', 'timeline'], extensions: { service: 'imaging' } });
    expect(errors![0]!.message).toMatch(/^Not all ImagingStudy resources are in this answer: /);
  });

  test('DW-18 with one of two archives it has the studies of the other, and an error', async () => {
    const { data, errors } = await ask('halved', TIMELINE);
    expect(data.Patient.timeline.missing).toMatchObject([{ type: 'ImagingStudy' }]);
    expect(shownStudies(data.Patient.timeline).length).toBeGreaterThan(0);
    expect(errors?.some(({ path }) => path.join('.') === 'Patient.timeline')).toBe(true);
  });

  test('FG-19 a trend has the studies on its axis', async () => {
    const { data, errors } = await ask(
      'all',
      'trend(group: vitalSigns) { series { unit points { id value date } } events { kind date studies { id } } }',
    );
    expect(errors).toBeUndefined();
    const { events } = data.Patient['trend'] as { events: Entry[] };
    expect(events.some(({ kind }) => kind === 'study')).toBe(true);
    expect(events.map(({ date }) => date)).toEqual(events.map(({ date }) => date).sort());
  });
});
