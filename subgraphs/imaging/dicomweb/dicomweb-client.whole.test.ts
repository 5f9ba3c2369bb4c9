import { api } from 'dicomweb-client';
import { createHash } from 'node:crypto';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startOrthanc, type Orthanc } from '../../../gateway/test/setup/orthanc.ts';
import {
  describeWithSharedData,
  sharedDataPath,
  sharedDicomFiles,
} from '../../../gateway/test/setup/shared-data.ts';
import { Tag, text, TransferSyntax, type DicomJson } from '../../../schema/dicom/dicom.ts';
import {
  orthancImages,
  patient,
  testAccess,
  testSubgraph,
  testTenant,
  type TestSubgraph,
} from '../test/subgraph.ts';

/** The part of XMLHttpRequest that dicomweb-client, unmodified, uses of a browser. */
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
  #url = '';
  #method: 'GET' | 'POST' = 'GET';
  readonly #headers: Record<string, string> = {};
  #answered: Record<string, string> = {};

  open(method: 'GET', url: string): void {
    this.#method = method.toUpperCase() as 'GET' | 'POST'; // as browsers do
    this.#url = url;
  }
  setRequestHeader(name: string, value: string): void {
    this.#headers[name] = value;
  }
  getResponseHeader(name: string): string | null {
    return this.#answered[name.toLowerCase()] ?? null;
  }
  getAllResponseHeaders(): string {
    return Object.entries(this.#answered)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('');
  }
  send(payload?: Uint8Array): void {
    const [method, headers] = [this.#method, this.#headers];
    const body = method === 'POST' && payload ? Buffer.from(payload) : null;
    void request(this.#url, { method, headers, body, reset: true }).then(
      async ({ statusCode, headers, body }) => {
        this.status = statusCode;
        this.#answered = Object.fromEntries(
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

type Client = Record<string, (options?: object) => Promise<never>>;
const newClient = (options: object) => new api.DICOMwebClient(options as never) as unknown as Client;
const hex = (bytes: ArrayBuffer, length: number) => Buffer.from(bytes).toString('hex', 0, length);
const hash = (bytes: ArrayBuffer) => createHash('sha256').update(Buffer.from(bytes)).digest('hex');

describeWithSharedData('dicomweb-client, unmodified, with a bearer token', () => {
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
  const ofSeries = ct.filter(({ seriesUid }) => seriesUid === own.seriesUid);
  const native = own.rows! * own.columns! * 2;
  const jpeg = [{ mediaType: 'image/jpeg' }];
  const png = [{ mediaType: 'image/png' }];
  let directory: string;
  let orthanc: Orthanc;
  let served: TestSubgraph;
  let base: string;

  beforeAll(async () => {
    Object.assign(globalThis, { XMLHttpRequest: TestXmlHttpRequest });
    directory = await mkdtemp(join(tmpdir(), 'dicomweb-client-'));
    for (const [i, { file }] of files.entries())
      await copyFile(sharedDataPath('dicom', file), join(directory, `${i}.dcm`));
    orthanc = await startOrthanc({ files: files.map(({ file }) => sharedDataPath('dicom', file)) });
    const grants = [own, xa, jls].map((file) => patient(file.patientId!, file.patientId!));
    const folder = { type: 'folder', path: directory, lookup: 'studies-by-mrn' };
    const tenants = [testTenant(folder, 'folder'), testTenant(orthancImages(orthanc), 'orthanc')];
    served = await testSubgraph(tenants, { token: testAccess(grants) }, { baseUrl: 'http://127.0.0.1' });
    base = await served.app.listen({ port: 0, host: '127.0.0.1' });
  });
  afterAll(async () => {
    await served?.close();
    await orthanc?.stop();
    await rm(directory, { recursive: true, force: true });
    Reflect.deleteProperty(globalThis, 'XMLHttpRequest');
  });

  /** One call: its method and options, a function that reads the result, and what it returns. */
  type Row = [method: string, options: object, result: (given: never) => unknown, expected: unknown];
  const rows = (count: number): [(given: DicomJson[]) => unknown, number] => [(given) => given.length, count];
  const first = (length: number) => (given: ArrayBuffer | ArrayBuffer[]) => hex([given].flat()[0]!, length);
  const hashes = (given: ArrayBuffer[]) => given.map(hash).sort();
  const sizes = (given: ArrayBuffer[]) => given.map(({ byteLength }) => byteLength);
  const frame = (file: typeof own, numbers: number[], more: object = {}) => ({
    ...target(file),
    frameNumbers: numbers,
    ...more,
  });
  const stored = (mediaType: string, file: typeof own) => ({
    mediaTypes: [{ mediaType, transferSyntaxUID: file.transferSyntax }],
  });

  /** Every method that sends a request. */
  const CALLS: Row[] = [
    ['searchForStudies', {}, ...rows(3)],
    ['searchForStudies', { queryParams: { ModalitiesInStudy: 'CT', limit: 10 } }, ...rows(1)],
    ['searchForSeries', {}, (given: DicomJson[]) => given.length > 1, true],
    ['searchForSeries', { studyInstanceUID: own.studyUid, queryParams: { Modality: 'CT' } }, ...rows(1)],
    ['searchForInstances', { queryParams: { SOPInstanceUID: own.sopInstanceUid } }, ...rows(1)],
    ['searchForInstances', { studyInstanceUID: own.studyUid }, ...rows(ct.length)],
    ['searchForInstances', target(own), ...rows(ofSeries.length)],
    ['retrieveStudyMetadata', target(own), ...rows(ct.length)],
    ['retrieveSeriesMetadata', target(own), ...rows(ofSeries.length)],
    [
      'retrieveInstanceMetadata',
      target(own),
      ([row]: DicomJson[]) => text(row!, Tag.SOPInstanceUID),
      own.sopInstanceUid,
    ],
    // The client refuses every media type of objects, so it names no transfer syntax. That means Explicit VR Little
    // Endian, in which these are stored.
    ['retrieveStudy', target(own), hashes, ct.map(({ sha256 }) => sha256).sort()],
    ['retrieveSeries', target(own), hashes, ofSeries.map(({ sha256 }) => sha256).sort()],
    ['retrieveInstance', target(own), hash, own.sha256],
    // Compressed objects are decoded if Explicit VR Little Endian is asked for.
    ['retrieveInstance', target(jls), ({ byteLength }: ArrayBuffer) => byteLength > jls.bytes, true],
    ['retrieveInstanceFrames', frame(own, [1]), sizes, [native]],
    ['retrieveInstanceFrames', frame(xa, [1, 96], stored('image/jpeg', xa)), first(3), 'ffd8ff'],
    ['retrieveInstanceFrames', frame(jls, [1], stored('image/jls', jls)), first(4), 'ffd8fff7'],
    ['retrieveInstanceFrames', frame(xa, [3, 1, 2]), sizes, Array(3).fill(xa.rows! * xa.columns!)],
    [
      'retrieveInstanceFrames',
      frame(own, [1], {
        mediaTypes: [
          { mediaType: 'application/octet-stream', transferSyntaxUID: TransferSyntax.ExplicitVRLittleEndian },
        ],
      }),
      sizes,
      [native],
    ],
    ['retrieveInstanceRendered', target(own), first(3), 'ffd8ff'],
    [
      'retrieveInstanceRendered',
      { ...target(own), mediaTypes: png, queryParams: { window: '40,400,linear', viewport: '256,256' } },
      first(3),
      '89504e',
    ],
    ['retrieveInstanceThumbnail', target(own), first(3), 'ffd8ff'],
    ['retrieveInstanceThumbnail', { ...target(own), mediaTypes: png }, first(3), '89504e'],
    // Without media types the client reads the picture as text.
    ['retrieveInstanceFramesRendered', frame(xa, [2], { mediaTypes: jpeg }), first(3), 'ffd8ff'],
    ['retrieveInstanceFramesRendered', frame(xa, [2], { mediaTypes: png }), first(3), '89504e'],
    ['retrieveInstanceFramesThumbnail', frame(xa, [2]), first(3), 'ffd8ff'],
    ['retrieveInstanceFramesThumbnail', frame(xa, [2], { mediaTypes: png }), first(3), '89504e'],
  ];

  describe.each(['folder', 'orthanc'])('over %s', (tenant) => {
    const options = (more: object = {}) => ({
      url: `${base}/${tenant}/dicomweb`,
      headers: { Authorization: 'Bearer token' },
      verbose: false,
      ...more,
    });

    it.each(CALLS)('%s %#', async (method, asked, result, expected) => {
      expect(result(await newClient(options())[method]!(asked))).toEqual(expected);
    });

    it('retrieveBulkData: by the URL in the metadata, as multipart and as one body, whole and as a range', async () => {
      const client = newClient(options());
      const [metadata]: DicomJson[] = await client.retrieveInstanceMetadata!(target(own));
      const address = new URL(metadata![Tag.PixelData]!.BulkDataURI!);
      const BulkDataURI = new URL(address.pathname, base).href;
      expect(sizes(await client.retrieveBulkData!({ BulkDataURI }))).toEqual([native]);
      const octets = [{ mediaType: 'application/octet-stream' }];
      expect(sizes(await client.retrieveBulkData!({ BulkDataURI, mediaTypes: octets }))).toEqual([native]);
      const one = newClient(options({ singlepart: 'bulkdata' }));
      const [whole]: ArrayBuffer[] = await one.retrieveBulkData!({ BulkDataURI });
      expect(whole!.byteLength).toBe(native);
      const headers = { Range: 'bytes=100-199' };
      const [part]: ArrayBuffer[] = await one.retrieveBulkData!({ BulkDataURI, headers });
      expect(Buffer.from(part!).equals(Buffer.from(whole!.slice(100, 200)))).toBe(true);
    });

    it('buildInstanceWadoURIUrl: a URL of our URI Service, which gives the object as stored', async () => {
      const client = newClient(options({ url: `${base}/${tenant}`, wadoURLPrefix: 'wado-uri' }));
      const build = client['buildInstanceWadoURIUrl'] as unknown as (options: object) => string;
      const { body, statusCode } = await request(build.call(client, target(jls)), {
        headers: { authorization: 'Bearer token' },
        reset: true,
      });
      expect([statusCode, hash(await body.arrayBuffer())]).toEqual([200, jls.sha256]);
    });

    it('storeInstances: 405, because nothing is stored here (DW-20)', async () => {
      const datasets = [new Uint8Array(200).buffer];
      await expect(newClient(options()).storeInstances!({ datasets })).rejects.toMatchObject({ status: 405 });
    });

    it('answers 401 without the token, and 404 for an absent study', async () => {
      await expect(newClient(options({ headers: {} })).searchForStudies!()).rejects.toMatchObject({
        status: 401,
      });
      const absent = { ...target(own), studyInstanceUID: '1.2.3' };
      await expect(newClient(options()).retrieveInstance!(absent)).rejects.toMatchObject({ status: 404 });
    });
  });

  it('tests every method of the client', () => {
    const tried = new Set([
      ...CALLS.map(([method]) => method),
      'retrieveBulkData',
      'buildInstanceWadoURIUrl',
      'storeInstances',
    ]);
    // These send no request.
    const local = ['constructor', 'setDebug', 'getDebug', 'setVerbose', 'getVerbose'];
    const methods = Object.getOwnPropertyNames(api.DICOMwebClient.prototype).filter(
      (name) => !name.startsWith('_') && !local.includes(name),
    );
    expect(methods.filter((name) => !tried.has(name))).toEqual([]);
    expect(methods.length).toBeGreaterThan(15);
  });
});
