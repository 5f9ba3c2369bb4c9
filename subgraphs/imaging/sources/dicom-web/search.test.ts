import { describe, expect, it } from 'vitest';
import { Tag, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import type { SourceQuery } from '../source.ts';
import { PatientLists } from './patient-lists.ts';
import { searchServer } from './search.ts';

const STUDY = '1.2.3';
const INSTANCES: SourceQuery = { level: 'instance', studyUid: STUDY, match: new Map(), includeField: [] };
const STUDIES: SourceQuery = {
  level: 'study',
  patientIds: [{ value: 'A' }],
  match: new Map(),
  includeField: [],
};

const instance = (number: number): DicomJson => ({
  [Tag.SeriesInstanceUID]: { vr: 'UI', Value: ['1.2.3.4'] },
  [Tag.SOPInstanceUID]: { vr: 'UI', Value: [`1.2.3.4.${number}`] },
});

const study = (number: number): DicomJson => ({
  [Tag.StudyInstanceUID]: { vr: 'UI', Value: [`1.2.${number}`] },
  [Tag.PatientID]: { vr: 'LO', Value: ['A'] },
});

interface Behaviour {
  /** Most rows of one answer. */
  most: number;
  /** True if it says that it has more (PS3.18 §8.3.4.4). */
  tells?: boolean;
  ignoresOffset?: boolean;
}

/** A server with a limit of its own. */
function server(all: readonly DicomJson[], { most, tells = false, ignoresOffset = false }: Behaviour) {
  const asked: string[] = [];
  const json = async (path: string) => {
    asked.push(path);
    const keys = new URL(path, 'http://archive').searchParams;
    const offset = ignoresOffset ? 0 : Number(keys.get('offset') ?? 0);
    const rows = all.slice(offset, offset + Math.min(most, Number(keys.get('limit') ?? most)));
    return { rows: structuredClone(rows), cut: tells && offset + rows.length < all.length };
  };
  return { asked, json };
}

const list = (count: number, one: (number: number) => DicomJson) =>
  Array.from({ length: count }, (_, index) => one(index + 1));

const search = (query: SourceQuery, json: ReturnType<typeof server>['json']) =>
  searchServer(query, json, new PatientLists());

describe('a server that gives its rows in parts', () => {
  it.each([
    ['says that there is more', 120, { most: 7, tells: true }, 18],
    ['says nothing and gives a round number', 250, { most: 100 }, 3],
    ['says nothing, and its last part is full', 200, { most: 100 }, 3],
  ] as const)('is asked on if it %s', async (_, count, behaviour, questions) => {
    const { json, asked } = server(list(count, instance), behaviour);
    const rows = await search(INSTANCES, json);
    expect(new Set(rows.map((row) => row[Tag.SOPInstanceUID]?.Value?.[0])).size).toBe(count);
    expect(asked).toHaveLength(questions);
  });

  it('is asked once if its answer is no round number', async () => {
    const { json, asked } = server(list(99, instance), { most: 1000 });
    expect(await search(INSTANCES, json)).toHaveLength(99);
    expect(asked).toHaveLength(1);
  });

  it('is asked for the studies of one patient until it has no more', async () => {
    const { json } = server(list(45, study), { most: 20, tells: true });
    expect(await search(STUDIES, json)).toHaveLength(45);
  });

  it('gives the whole page that a client asks for, and no more', async () => {
    const { json, asked } = server(list(45, study), { most: 10, tells: true });
    const rows = await search({ ...STUDIES, limit: 25, offset: 5 }, json);
    expect(rows.map((row) => row[Tag.StudyInstanceUID]?.Value?.[0])).toEqual(
      Array.from({ length: 25 }, (_, index) => `1.2.${index + 6}`),
    );
    expect(asked).toHaveLength(3);
  });

  it('fails if it says that it has more and does not give it', async () => {
    const { json } = server(list(45, study), { most: 20, tells: true, ignoresOffset: true });
    await expect(search(STUDIES, json)).rejects.toMatchObject({ code: 'bad_gateway' });
  });

  it('has given all if it ignores the offset and says nothing', async () => {
    const { json } = server(list(100, study), { most: 1000, ignoresOffset: true });
    expect(await search(STUDIES, json)).toHaveLength(100);
  });
});
