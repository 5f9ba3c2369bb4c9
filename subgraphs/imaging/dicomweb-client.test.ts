import { api } from 'dicomweb-client';
import { createHash } from 'node:crypto';
import { request } from 'undici';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startOrthanc, type Orthanc } from '../../gateway/test/setup/orthanc.ts';
import {
  describeWithSharedData,
  sharedDataPath,
  sharedDicomFiles,
} from '../../gateway/test/setup/shared-data.ts';
import { Tag, text, type DicomJson } from '../../schema/dicom.ts';
import {
  orthancImages,
  patient,
  testAccess,
  testSubgraph,
  testTenant,
  type TestSubgraph,
} from './test/subgraph.ts';

/** As much of XMLHttpRequest as dicomweb-client, which is unmodified, asks of a browser. */
class TestXmlHttpRequest {
  readyState = 0;
  status = 0;
  response: unknown;
  responseType = '';
  withCredentials = false;
  onreadystatechange?: () => void;
  onloadstart?: () => void;
  onloadend?: () => void;
  onprogress?: unknown;
  private url = '';
  private method: 'GET' = 'GET';
  private readonly headers: Record<string, string> = {};
  private answered: Record<string, string> = {};

  open(method: 'GET', url: string): void {
    this.method = method.toUpperCase() as 'GET'; // as browsers do
    this.url = url;
  }
  setRequestHeader(name: string, value: string): void {
    this.headers[name] = value;
  }
  getResponseHeader(name: string): string | null {
    return this.answered[name.toLowerCase()] ?? null;
  }
  getAllResponseHeaders(): string {
    return Object.entries(this.answered)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('');
  }
  send(): void {
    void request(this.url, { method: this.method, headers: this.headers, reset: true }).then(
      async ({ statusCode, headers, body }) => {
        this.status = statusCode;
        this.answered = Object.fromEntries(
          Object.entries(headers).map(([name, value]) => [name, String(value)]),
        );
        const bytes = await body.arrayBuffer();
        const words = Buffer.from(bytes).toString();
        if (this.responseType === 'arraybuffer') this.response = bytes;
        else this.response = this.responseType === 'json' ? JSON.parse(words) : words;
        this.readyState = 4;
        this.onreadystatechange?.();
        this.onloadend?.();
      },
    );
  }
}

describeWithSharedData('dicomweb-client with a bearer token', () => {
  const files = sharedDicomFiles().filter(({ file }) =>
    /^(ct-head-ge|xa-cine|us-still|mr-t1-forrest)\//.test(file),
  );
  const ct = files.filter(({ file }) => file.startsWith('ct-head-ge/'));
  const own = ct[0]!;
  const xa = files.find(({ file }) => file.startsWith('xa-cine/'))!;
  const jls = files.find(({ transferSyntax }) => transferSyntax.endsWith('.4.80'))!;
  const target = (file: typeof own) => ({
    studyInstanceUID: file.studyUid!,
    seriesInstanceUID: file.seriesUid!,
    sopInstanceUID: file.sopInstanceUid,
  });
  const hash = (bytes: ArrayBuffer) => createHash('sha256').update(Buffer.from(bytes)).digest('hex');
  const newClient = (options: object) => new api.DICOMwebClient(options as never) as unknown as typeof client;
  let orthanc: Orthanc;
  let served: TestSubgraph;
  /** Its declarations demand what its code does not. */
  let client: Record<string, (options?: object) => Promise<never>>;
  let url: string;

  beforeAll(async () => {
    Object.assign(globalThis, { XMLHttpRequest: TestXmlHttpRequest });
    orthanc = await startOrthanc({ files: files.map(({ file }) => sharedDataPath('dicom', file)) });
    const grants = [own, xa, jls].map((file) => patient(file.patientId!, file.patientId!));
    served = await testSubgraph([testTenant(orthancImages(orthanc))], { token: testAccess(grants) });
    url = `${await served.app.listen({ port: 0, host: '127.0.0.1' })}/test/dicomweb`;
    client = newClient({ url, headers: { Authorization: 'Bearer token' }, verbose: false });
  });
  afterAll(async () => {
    await served?.close();
    await orthanc?.stop();
    Reflect.deleteProperty(globalThis, 'XMLHttpRequest');
  });

  it('searches at every level', async () => {
    const { studyInstanceUID, seriesInstanceUID } = target(own);
    const studies: DicomJson[] = await client.searchForStudies!({
      queryParams: { ModalitiesInStudy: 'CT', limit: 10 },
    });
    expect(studies.map((row) => text(row, Tag.StudyInstanceUID))).toEqual([own.studyUid]);
    expect(await client.searchForSeries!({ studyInstanceUID })).not.toHaveLength(0);
    const instances = await client.searchForInstances!({ studyInstanceUID, seriesInstanceUID });
    expect(instances).toHaveLength(ct.filter(({ seriesUid }) => seriesUid === own.seriesUid).length);
  });

  it('fetches metadata at every level', async () => {
    expect(await client.retrieveStudyMetadata!(target(own))).toHaveLength(ct.length);
    expect(await client.retrieveSeriesMetadata!(target(own))).not.toHaveLength(0);
    const metadata = await client.retrieveInstanceMetadata!(target(own));
    expect(metadata).toBeTruthy();
  });

  it('fetches studies, series and instances, byte for byte', async () => {
    const study: ArrayBuffer[] = await client.retrieveStudy!(target(own));
    expect(study.map(hash).sort()).toEqual(ct.map(({ sha256 }) => sha256).sort());
    // It asks for no transfer syntax, and so gets what is compressed refused: Explicit VR Little Endian is meant.
    expect(await client.retrieveSeries!(target(own))).not.toHaveLength(0);
    expect(((await client.retrieveInstance!(target(own))) as ArrayBuffer).byteLength).toBeGreaterThan(
      500_000,
    );
  });

  it('fetches frames as stored: native, JPEG and JPEG-LS', async () => {
    const native: ArrayBuffer[] = await client.retrieveInstanceFrames!({ ...target(own), frameNumbers: [1] });
    expect(native.map((frame) => frame.byteLength)).toEqual([own.rows! * own.columns! * 2]);
    const jpeg: ArrayBuffer[] = await client.retrieveInstanceFrames!({
      ...target(xa),
      frameNumbers: [1, 96],
      mediaTypes: [{ mediaType: 'image/jpeg', transferSyntaxUID: xa.transferSyntax }],
    });
    expect(jpeg.map((frame) => Buffer.from(frame).toString('hex', 0, 3))).toEqual(['ffd8ff', 'ffd8ff']);
    const jpegLs: ArrayBuffer[] = await client.retrieveInstanceFrames!({
      ...target(jls),
      frameNumbers: [1],
      mediaTypes: [{ mediaType: 'image/jls', transferSyntaxUID: jls.transferSyntax }],
    });
    expect(Buffer.from(jpegLs[0]!).toString('hex', 0, 4)).toBe('ffd8fff7');
  });

  it('fetches rendered instances and frames, and thumbnails', async () => {
    const frame = { ...target(xa), frameNumbers: [2] };
    const mediaTypes = [{ mediaType: 'image/png' }];
    const queryParams = { window: '40,400,linear', viewport: '256,256' };
    const pictures: [string, object, signature: string][] = [
      ['retrieveInstanceRendered', target(own), 'ffd8ff'],
      ['retrieveInstanceRendered', { ...target(own), mediaTypes, queryParams }, '89504e'],
      ['retrieveInstanceThumbnail', target(own), 'ffd8ff'],
      ['retrieveInstanceFramesRendered', { ...frame, mediaTypes }, '89504e'],
      ['retrieveInstanceFramesThumbnail', { ...frame, mediaTypes }, '89504e'],
    ];
    for (const [call, options, signature] of pictures) {
      const given: ArrayBuffer | ArrayBuffer[] = await client[call]!(options);
      // Where no media type is named it gives a list of one.
      const [picture] = [given].flat();
      expect(Buffer.from(picture!).toString('hex', 0, 3), call).toBe(signature);
    }
  });

  it('is refused without the token', async () => {
    const stranger = newClient({ url, verbose: false });
    await expect(stranger.searchForStudies!()).rejects.toMatchObject({ status: 401 });
  });
});
