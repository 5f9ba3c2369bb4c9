import { createHash } from 'node:crypto';
import { request } from 'undici';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startOrthanc, type Orthanc } from './orthanc.ts';
import { describeWithSharedData, sharedDataPath, sharedDicomFiles } from './shared-data.ts';

describeWithSharedData('the Orthanc that tests start', () => {
  const files = sharedDicomFiles().filter(
    ({ file, importsInOrthanc }) => importsInOrthanc && file.startsWith('ct-head-ge/'),
  );
  let orthanc: Orthanc;

  beforeAll(async () => {
    orthanc = await startOrthanc({ files: files.map(({ file }) => sharedDataPath('dicom', file)) });
  });
  afterAll(() => orthanc.stop());

  const get = (path: string, headers: Record<string, string> = { authorization: orthanc.authorization }) =>
    request(orthanc.url + path, { headers, reset: true, headersTimeout: 300 });

  it('refuses a caller without the password', async () => {
    expect((await get('/system', {})).statusCode).toBe(401);
  });

  it('serves uploaded files over DICOMweb, byte for byte', async () => {
    const first = files[0]!;
    const found = await get(`/dicom-web/instances?SOPInstanceUID=${first.sopInstanceUid}`);
    expect(found.statusCode).toBe(200);
    expect(await found.body.json()).toHaveLength(1);
    const [id] = await orthanc.upload([sharedDataPath('dicom', first.file)]);
    const stored = await get(`/instances/${id}/file`);
    const hash = createHash('sha256')
      .update(Buffer.from(await stored.body.arrayBuffer()))
      .digest('hex');
    expect(hash).toBe(first.sha256);
  });

  it('names the file that Orthanc refuses', async () => {
    await expect(orthanc.upload([Buffer.from('no DICOM')])).rejects.toThrow(/refused file number 0/);
  });

  it('answers nothing while frozen, refuses connections while killed, and restarts with its images', async () => {
    await orthanc.freeze();
    await expect(get('/system')).rejects.toThrow(/timeout/i);
    orthanc.thaw();
    expect((await get('/system')).statusCode).toBe(200);

    await orthanc.kill();
    await expect(get('/system')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await orthanc.restart();
    expect(await (await get('/instances')).body.json()).toHaveLength(files.length);
  });
});
