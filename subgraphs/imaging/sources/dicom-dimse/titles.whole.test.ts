/** What an operator is told when an archive does not know the titles of the tenant file. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startDcmqrscp, type Dcmqrscp } from '../../../../gateway/test/setup/dcmqrscp.ts';
import { startOrthanc, type Orthanc } from '../../../../gateway/test/setup/orthanc.ts';
import { smallObjects } from '../../../../gateway/test/setup/small-objects.ts';
import type { Fault } from '../../../../schema/fault/fault.ts';
import { openDimseSide, OUR_AE, type DimseConfig, type DimseSide } from '../../test/dimse.ts';

const STUDY = '1.2.47';
/** Another study, which no test retrieves: what was retrieved is kept. */
const NEVER_SENT = '1.2.48';
const files = [STUDY, NEVER_SENT].flatMap((studyUid) =>
  smallObjects({ studyUid, patientId: 'MRN-1', instances: 1 }),
);
let side: DimseSide;
let strict: Orthanc;
let echoOnly: Orthanc;
let lax: Dcmqrscp;
let listed: Dcmqrscp;

beforeAll(async () => {
  side = await openDimseSide();
  const modalities = { gateway: { aet: OUR_AE, port: side.port } };
  const none = { DicomAlwaysAllowFind: false, DicomAlwaysAllowGet: false, DicomAlwaysAllowMove: false };
  [strict, echoOnly, lax, listed] = await Promise.all([
    startOrthanc({
      files,
      modalities,
      configuration: { ...none, DicomCheckCalledAet: true, DicomAlwaysAllowEcho: false },
    }),
    startOrthanc({ modalities, configuration: none }),
    startDcmqrscp({ [OUR_AE]: side.port }),
    startDcmqrscp({ [OUR_AE]: side.port }, [OUR_AE]),
  ]);
  const folder = await mkdtemp(join(tmpdir(), 'titles-'));
  const paths = files.map((_file, index) => join(folder, `${index}.dcm`));
  await Promise.all(files.map((file, index) => writeFile(paths[index]!, file)));
  await promisify(execFile)('storescu', ['-xs', '-aec', lax.aet, '127.0.0.1', String(lax.port), ...paths]);
  await rm(folder, { recursive: true });
});
afterAll(async () => {
  await side?.stop();
  await Promise.all([strict, echoOnly, lax, listed].map((one) => one?.stop()));
});

const at = (port: number, calledAe: string, more: Partial<DimseConfig> = {}) =>
  side.source({ endpoint: `dimse://127.0.0.1:${port}`, calledAe, ...more });
const ofOrthanc = (orthanc: Orthanc, more: Partial<DimseConfig> = {}) =>
  at(orthanc.dicomPort, 'ORTHANC', more);
const ofDcmtk = (server: Dcmqrscp, more: Partial<DimseConfig> = {}) => at(server.port, server.aet, more);

const reasonOf = (failing: Promise<unknown>): Promise<string> =>
  failing.then(
    () => 'ok',
    (error: Fault) => (error.cause as Error).message,
  );
const tried = async (source: ReturnType<typeof at>) => reasonOf(source.check!());
const searched = (source: ReturnType<typeof at>) =>
  reasonOf(source.search({ level: 'study', match: new Map(), includeField: [] }));
const retrieved = (source: ReturnType<typeof at>, studyUid = STUDY) =>
  reasonOf(
    (async () => {
      for await (const { stream } of source.retrieve({ studyUid }, '*')) await stream.toArray();
    })(),
  );

test.each(['c-get', 'c-move'] as const)('the known titles work for %s', async (retrieval) => {
  expect(await tried(ofOrthanc(strict, { retrieval }))).toBe('ok');
  expect(await tried(ofDcmtk(lax, { retrieval }))).toBe('ok');
  expect(await tried(ofDcmtk(listed, { retrieval }))).toBe('ok');
  expect(await retrieved(ofOrthanc(strict, { retrieval }))).toBe('ok');
});

test('an archive that goes by another title is named, with the key of the tenant file', async () => {
  const source = ofOrthanc(strict, { calledAe: 'PACS' });
  const reason = /reason 7: it does not go by PACS \(images\.calledAe\), or does not know GATEWAY/;
  for (const work of [tried, searched, retrieved]) expect(await work(source)).toMatch(reason);
  expect(await tried(at(lax.port, 'PACS'))).toMatch(reason);
});

test('our title that an archive does not know is named: Orthanc ends the association, DCMTK rejects it', async () => {
  for (const work of [tried, searched, retrieved]) {
    expect(await work(ofOrthanc(strict, { ae: 'NEW-ONE' }))).toMatch(
      /association aborted by the peer before the first answer: it may not know NEW-ONE \(images\.ae\)/,
    );
    expect(await work(ofDcmtk(listed, { ae: 'NEW-ONE' }))).toMatch(
      /reason 7: .* or does not know NEW-ONE \(images\.ae\)/,
    );
  }
});

test('a check finds a title that may only send C-ECHO', async () => {
  expect(await tried(ofOrthanc(echoOnly))).toBe('ok');
  expect(await tried(ofOrthanc(echoOnly, { ae: 'NEW-ONE' }))).toMatch(/may not know NEW-ONE \(images\.ae\)/);
});

test('a C-MOVE to a title that is no destination: the title and DIMSE_PORT are named', async () => {
  const more = { ae: 'NEW-ONE', retrieval: 'c-move' } as const;
  const orthanc = await startOrthanc({ files });
  expect(await retrieved(ofOrthanc(orthanc, more), NEVER_SENT)).toMatch(
    /^status C000, .*: it may not know NEW-ONE \(images\.ae\) as a destination of C-MOVE, or not reach it .*DIMSE_PORT$/,
  );
  await orthanc.stop();
  expect(await retrieved(ofDcmtk(lax, more), NEVER_SENT)).toMatch(
    /^status A801, .*: it does not know NEW-ONE \(images\.ae\) as a destination of C-MOVE; add this title/,
  );
});
