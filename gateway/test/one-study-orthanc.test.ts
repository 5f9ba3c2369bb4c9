/** One ImagingStudy of what the record and a real archive have (IA-34), by DICOMweb and by DIMSE. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startOneStudy } from './one-study.ts';
import { freePort } from './setup/free-port.ts';
import { archiveObjects, SAID, uidOf } from './setup/one-study.ts';
import { startOrthanc, type Orthanc } from './setup/orthanc.ts';

let archive: Orthanc;
let world: Awaited<ReturnType<typeof startOneStudy>>;

beforeAll(async () => {
  const port = await freePort();
  archive = await startOrthanc({
    files: Object.values(archiveObjects()),
    modalities: { gateway: { aet: 'GATEWAY', port } },
  });
  const { dicomWebUrl, username, password, dicomPort, aet } = archive;
  const lookup = 'studies-by-mrn';
  world = await startOneStudy(
    {
      'dicom-web': {
        ...{ type: 'dicom-web', endpoint: dicomWebUrl, lookup },
        authentication: { type: 'http-basic', username, password },
      },
      dimse: {
        ...{ type: 'dicom-dimse', endpoint: `dimse://127.0.0.1:${dicomPort}`, lookup },
        ...{ ae: 'GATEWAY', calledAe: aet, retrieval: 'c-get' },
      },
    },
    { host: '127.0.0.1', port, maxBytes: 1e8 },
  );
}, 90_000);
afterAll(async () => {
  await world?.close();
  await archive?.stop();
});

test.each(['dicom-web', 'dimse'])(
  'IA-34 %s: the same studies as from a folder, by both APIs',
  async (tenant) => {
    for (const patient of ['p', 'q']) {
      const expected = await world.list('own', patient);
      expect(Object.keys(expected).length).toBeGreaterThan(2);
      expect(await world.list(tenant, patient)).toEqual(expected);
    }
    for (const id of [uidOf('both'), 'Rboth']) {
      const { body } = await world.rest(tenant, `ImagingStudy/${id}`);
      expect(body).toMatchObject({
        note: SAID.note,
        reasonCode: SAID.reasonCode,
        id: uidOf('both'),
        series: [{ instance: [{}, {}] }],
      });
    }
    for (const id of [uidOf('of q'), 'Rof-q', 'Rrecord-of-q'])
      expect(await world.read(tenant, id)).toBeUndefined();
  },
  60_000,
);
