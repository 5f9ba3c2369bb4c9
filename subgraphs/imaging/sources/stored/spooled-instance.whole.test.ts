/** Parts of whole instances with a full disk (DW-12, DW-15): 503, except for answers that need no disk. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startOrthanc, type Orthanc } from '../../../../gateway/test/setup/orthanc.ts';
import {
  describeWithSharedData,
  sharedDataPath,
  sharedDicomFiles,
} from '../../../../gateway/test/setup/shared-data.ts';
import { TransferSyntax } from '../../../../schema/dicom/dicom.ts';
import { orthancImages } from '../../test/subgraph.ts';

describeWithSharedData('from an archive, with a full disk', () => {
  const of = (name: string) => sharedDicomFiles().find(({ file }) => file.startsWith(name))!;
  // Orthanc gives no frames of HTJ2K.
  const [ct, film, small] = [
    of('ct-head-ge/'),
    of('us-cine/US-PAL-8-10x-echo'),
    of('ts-matrix/HTJ2K_08_RGB'),
  ];
  const urlOf = ({ studyUid, seriesUid, sopInstanceUid }: typeof ct) =>
    `/studies/${studyUid}/series/${seriesUid}/instances/${sopInstanceUid}`;
  const HTJ2K = `application/dicom; transfer-syntax=${TransferSyntax.HTJ2KLossless}`;
  let orthanc: Orthanc;
  let temporary: string;

  beforeAll(async () => {
    orthanc = await startOrthanc({
      files: [ct, film, small].map(({ file }) => sharedDataPath('dicom', file)),
    });
    temporary = await mkdtemp(join(tmpdir(), 'full-disk-'));
  });
  afterAll(async () => {
    await orthanc?.stop();
    await rm(temporary, { recursive: true, force: true });
  });

  it('answers 503 with Retry-After when the disk is needed, and 200 otherwise', async () => {
    const asked = [
      [urlOf(ct), HTJ2K],
      [urlOf(ct), HTJ2K.replace('application/dicom', 'multipart/related; type="application/dicom"')],
      [`${urlOf(film)}/bulkdata/7FE00010`, '*/*'],
      [urlOf(ct), 'application/dicom; transfer-syntax=*'],
      [`${urlOf(ct)}/frames/1`, '*/*'],
      [`${urlOf(small)}/frames/1`, '*/*'],
    ].map((one) => JSON.stringify(one));
    // Files of at most 400 kB: RLIMIT_FSIZE in blocks of 512 bytes. The refused objects have half a megabyte.
    const script = 'trap "" XFSZ; ulimit -f 800; TMPDIR=$1; export TMPDIR; shift; exec "$@"';
    const { stdout } = await promisify(execFile)('/bin/sh', [
      '-c',
      script,
      'sh',
      temporary,
      process.execPath,
      '--import',
      'tsx',
      join(import.meta.dirname, '../../test/full-disk-archive.child.ts'),
      JSON.stringify(orthancImages(orthanc, { lookup: 'all-studies-on-server' })),
      ...asked,
    ]);
    const full = { status: 503, retryAfter: '60', error: true };
    const given = { status: 200, error: false };
    expect(JSON.parse(stdout)).toEqual([full, full, full, given, given, given]);
    expect((await readdir(temporary)).filter((name) => name.startsWith('instance-'))).toEqual([]);
  });
});
