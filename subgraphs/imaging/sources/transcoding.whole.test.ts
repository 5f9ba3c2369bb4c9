import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startOrthanc } from '../../../gateway/test/setup/orthanc.ts';
import {
  describeWithSharedData,
  sharedDataPath,
  sharedDicomFiles,
} from '../../../gateway/test/setup/shared-data.ts';
import { testEach } from '../../../gateway/test/setup/usual-run.ts';
import { frameMediaType, Tag, text, TransferSyntax } from '../../../schema/dicom/dicom.ts';
import { inMemory, type FrameBytes } from '../multipart/frame-bytes.ts';
import { decodeFrame } from '../pixels/codecs/frame.ts';
import type { DecodedFrame } from '../pixels/codecs/decoded-frame.ts';
import { PixelPool } from '../threads/pool.ts';
import { transcodePixels } from '../pixels/transcode-pixels.ts';
import { rgb } from '../render/image/colour.ts';
import { pixelDescription } from '../pixels/codecs/description.ts';
import { fileFrames, fingerprints, type FileFrames } from '../pixels/test/file-frames.ts';
import { orthancImages, patient, testAccess, testSubgraph, testTenant } from '../test/subgraph.ts';
import { dicomWebSource } from './dicom-web.ts';
import { openFolder } from './folder.ts';
import type { ImagingSource } from './source.ts';
import { metadataRows } from '../test/metadata-rows.ts';
import { openedSource } from '../test/opened-source.ts';
import { testParsing } from '../test/parsing.ts';

const EXPLICIT = TransferSyntax.ExplicitVRLittleEndian;
const { JPEGLSLossless, HTJ2KLossless } = TransferSyntax;

/** Files of each codec family, single and multi-frame, with converted colours, and with single bits across bytes. */
const FILES = [
  'ts-matrix/HTJ2K_08_RGB.dcm',
  'ts-matrix/CTImage.dcm_JPEGProcess2_4TransferSyntax_1.2.840.10008.1.2.4.51.dcm',
  'ts-matrix/TestPattern_JPEG-Baseline_YBR422.dcm',
  'ts-matrix/SC_rgb_jpeg_dcmtk.dcm',
  'us-cine/IM00001.fragmented_no_bot_jpeg_baseline.50.dcm',
  'us-cine/US-PAL-8-10x-echo.dcm',
  'mr-multiframe/emri_small_jpeg_2k_lossless.dcm',
  'mr-t1-forrest/N2D_0001.dcm',
  'mg/OutOfBoundsOverlay.dcm',
  'seg/liver_nonbyte_aligned_j2k.dcm',
  'seg/liver_nonbyte_aligned_deflate.dcm',
  'pt/sample.dcm',
  'rt/rtdose.dcm',
  'rt/rtplan.dcm',
  'sr/test-SR.dcm',
];
const rows = sharedDicomFiles().filter(({ file }) => FILES.includes(file));
const path = (file: string) => sharedDataPath('dicom', file);
const at = (name: string) => {
  const { studyUid, seriesUid, sopInstanceUid } = rows.find(({ file }) => file.includes(name))!;
  return { studyUid: studyUid!, seriesUid: seriesUid!, instanceUid: sopInstanceUid };
};

async function all(frames: AsyncIterable<FrameBytes>): Promise<Uint8Array[]> {
  const found: Uint8Array[] = [];
  for await (const frame of frames) found.push(await inMemory(frame));
  return found;
}

function largestDifference(some: DecodedFrame[], others: DecodedFrame[]): number {
  let largest = 0;
  some.forEach(({ samples }, n) => {
    for (let i = 0; i < samples.length; i++)
      largest = Math.max(largest, Math.abs(samples[i]! - others[n]!.samples[i]!));
  });
  return largest;
}

describeWithSharedData('transcoding (DW-5, DW-15)', () => {
  const pool = new PixelPool();
  const parsing = testParsing();
  const closing: (() => Promise<unknown>)[] = [() => pool.close()];
  let scratch: string;
  const sources: Record<string, ImagingSource> = {};
  let orthancTenant: object;

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'transcoding-'));
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    const indexFile = join(scratch, 'index.sqlite');
    const folder = await openFolder({
      path: sharedDataPath('dicom'),
      indexFile,
      log,
      watch: false,
      pixels: pool,
      parsing,
    });
    await folder.indexed;
    const orthanc = await startOrthanc({ files: rows.map(({ file }) => path(file)) });
    orthancTenant = orthancImages(orthanc);
    const server = dicomWebSource(
      testTenant(orthancTenant).images[0] as never,
      () => Date.now() / 1000,
      parsing,
    );
    sources['folder'] = openedSource(folder, { pixels: pool, parsing });
    sources['dicom-web'] = openedSource(server, { pixels: pool, parsing });
    closing.push(
      () => folder.close(),
      () => server.close(),
      () => orthanc.stop(),
    );
    closing.push(() => rm(scratch, { recursive: true }));
  });
  afterAll(async () => {
    for (const close of closing) await close();
  });

  async function given(source: string, file: string, transferSyntax: string) {
    for await (const instance of sources[source]!.retrieve(at(file), transferSyntax)) {
      const name = join(scratch, `${source}-${transferSyntax}.dcm`);
      await writeFile(name, await buffer(instance.stream));
      return { name, transferSyntax: instance.transferSyntax };
    }
    throw new Error('nothing came');
  }

  const samples = async ({ frames, transferSyntax, pixels }: FileFrames) =>
    Promise.all(frames.map((frame) => decodeFrame(frame, transferSyntax, pixels)));

  /** Selects half of the rows for each source: each row is tested with one of them. */
  const inTurn = (source: string) => (_row: unknown, index: number) =>
    (source === 'folder') === (index % 2 === 0);

  describe.each(['folder', 'dicom-web'])('%s', (source) => {
    testEach(FILES, inTurn(source))(
      'gives %s as Explicit VR Little Endian with all attributes and samples',
      async (file) => {
        const found = await given(source, file, EXPLICIT);
        expect(found.transferSyntax).toBe(EXPLICIT);
        // DCMTK can read every element.
        execFileSync('dcmdump', ['-q', '+E', found.name], { stdio: 'pipe' });
        const [stored, now] = [await fileFrames(path(file)), await fileFrames(found.name)];
        if (!stored) return expect(now).toBeUndefined();
        expect(now!.transferSyntax).toBe(EXPLICIT);
        const decoded = await samples(stored);
        const received = await samples(now!);
        // Orthanc decodes lossy JPEG, and rounds differently.
        if (source === 'folder' || !/JPEG|jpeg_baseline/.test(file))
          expect(fingerprints(received)).toEqual(fingerprints(decoded));
        else expect(largestDifference(received, decoded)).toBeLessThanOrEqual(1);
        expect(text(now!.dataset, Tag.PhotometricInterpretation)).toBe(decoded[0]!.photometricInterpretation);
        if (stored.pixels.samplesPerPixel > 1) expect(now!.pixels.planarConfiguration).toBe(0);
        const untouched = (tag: string) => !/^(0028(0004|0006|211[024])|0088|7FE0)/.test(tag);
        // Orthanc knows the VR of some private attributes that are UN in the file.
        const known = (tag: string) => stored.dataset[tag]!.vr !== 'UN';
        for (const tag of Object.keys(stored.dataset).filter((tag) => untouched(tag) && known(tag)))
          expect([tag, now!.dataset[tag]]).toEqual([tag, stored.dataset[tag]]);
        if (/\.4\.5[0135]$/.test(rows.find((row) => row.file === file)!.transferSyntax)) {
          expect(text(now!.dataset, '00282110')).toBe('01');
          expect(text(now!.dataset, '00282114')).toBe('ISO_10918_1');
        }
      },
    );

    testEach([JPEGLSLossless, HTJ2KLossless], inTurn(source))(
      'compresses without loss on request: %s',
      async (syntax) => {
        for (const file of ['pt/sample.dcm', 'us-cine/US-PAL-8-10x-echo.dcm', 'TestPattern']) {
          const found = await given(source, file, syntax);
          expect(found.transferSyntax).toBe(syntax);
          const stored = (await fileFrames(path(rows.find((row) => row.file.includes(file))!.file)))!;
          const now = (await fileFrames(found.name))!;
          expect(now.transferSyntax).toBe(syntax);
          const decoded = await samples(stored);
          expect(fingerprints(await samples(now))).toEqual(fingerprints(decoded));
          if (syntax !== JPEGLSLossless) continue;
          const raw = join(scratch, 'raw.dcm');
          execFileSync('dcmdjpls', [found.name, raw], { stdio: 'pipe' });
          expect(fingerprints(await samples((await fileFrames(raw))!))).toEqual(fingerprints(decoded));
        }
      },
    );

    it.each([
      ['an unsupported transfer syntax', 'pt/sample.dcm', '1.2.840.10008.1.2.4.102'] as const,
      ['32 bits', 'rt/rtdose.dcm', JPEGLSLossless] as const,
      // Orthanc writes objects without pixels in any transfer syntax.
      ...(source === 'folder' ? [['no pixels', 'rt/rtplan.dcm', JPEGLSLossless] as const] : []),
    ])('DW-5 refuses %s as not acceptable', async (_, file, syntax) => {
      await expect(given(source, file, syntax)).rejects.toMatchObject({ code: 'not_acceptable' });
    });

    testEach<[file: string, numbers: number[]]>(
      [
        ['HTJ2K_08_RGB', [1]],
        ['US-PAL-8-10x-echo', [10, 2]],
        ['IM00001', [3]],
        ['liver_nonbyte_aligned_j2k', [1, 3]],
      ],
      inTurn(source),
    )('DW-7 decodes and compresses frames of %s: %j', async (file, numbers) => {
      const stored = (await fileFrames(path(rows.find((row) => row.file.includes(file))!.file)))!;
      const asOctets = async (number: number) => {
        const { transferSyntax, pixels } = stored;
        const task = { transferSyntax, pixels, to: EXPLICIT, announced: true };
        return (await transcodePixels({ ...task, encoded: stored.frames[number - 1]! })).bytes;
      };
      const ask = () => sources[source]!.frames(at(file), numbers);
      const native = await (await ask()).transcoded!(EXPLICIT);
      expect(native).toMatchObject({ mediaType: 'application/octet-stream', transferSyntax: EXPLICIT });
      const bytes = await all(native.frames);
      const wanted = await Promise.all(numbers.map(asOctets));
      expect(bytes.map((frame, i) => Buffer.compare(frame, wanted[i]!))).toEqual(numbers.map(() => 0));
      const stored1 = await ask();
      if (stored.pixels.bitsAllocated === 1)
        return expect(stored1.transcoded!(JPEGLSLossless)).rejects.toMatchObject({ code: 'not_acceptable' });
      const again = await stored1.transcoded!(JPEGLSLossless);
      const [first] = await all(again.frames);
      const back = await decodeFrame(first!, JPEGLSLossless, stored.pixels);
      expect(fingerprints([back])).toEqual(
        fingerprints([await decodeFrame(wanted[0]!, EXPLICIT, stored.pixels)]),
      );
    });
  });

  describe.each(['folder', 'dicom-web'])('%s', (source) => {
    testEach(['TestPattern', 'IM00001', 'SC_rgb_jpeg_dcmtk', 'HTJ2K_08_RGB'], inTurn(source))(
      'DW-6, DW-7 gives octets of %s that have the right colours when read by its metadata',
      async (file) => {
        const [metadata] = await metadataRows(sources[source]!, at(file));
        const described = pixelDescription(metadata!)!;
        const stored = (await fileFrames(path(rows.find((row) => row.file.includes(file))!.file)))!;
        const octets = await (await sources[source]!.frames(at(file), [1])).transcoded!(EXPLICIT);
        const [first] = await all(octets.frames);
        const given = rgb(await decodeFrame(first!, EXPLICIT, described));
        const shown = rgb(await decodeFrame(stored.frames[0]!, stored.transferSyntax, stored.pixels));
        const sum = given.reduce((sum, value, i) => sum + Math.abs(value - shown[i]!), 0);
        // Neighbours that share their chroma have slightly closer colours.
        expect(sum / given.length).toBeLessThanOrEqual(1);
      },
    );
  });

  it('DW-7 refuses to compress frames of YBR_FULL_422, and says why', async () => {
    const compressed = await (
      await sources['folder']!.frames(at('TestPattern'), [1])
    ).transcoded!(JPEGLSLossless);
    await expect(all(compressed.frames)).rejects.toMatchObject({
      code: 'not_acceptable',
      message: expect.stringContaining('YBR_FULL_422'),
    });
  });

  it('does not relay a study that the server does not transcode', async () => {
    const { studyUid } = at('HTJ2K_08_RGB');
    await expect(sources['dicom-web']!.relay!({ studyUid }, EXPLICIT, 'b')).resolves.toBeUndefined();
  });

  it('transcodes frames with palettes from bulk data when only one retrieval at a time is allowed', async () => {
    const { threads, objectElements } = parsing;
    const images = { ...orthancTenant, connections: { searches: 1, retrievals: 1 } };
    const [config] = testTenant(images).images;
    const own = dicomWebSource(config as Parameters<typeof dicomWebSource>[0], () => 0, parsing);
    const source = openedSource(own, { pixels: pool, parsing: { threads, objectElements } });
    try {
      const signal = AbortSignal.timeout(10_000);
      const frames = await source.frames(at('US-PAL-8-10x-echo'), [1], signal);
      const transcoded = await frames.transcoded!(JPEGLSLossless);
      expect(await all(transcoded.frames)).toHaveLength(1);
    } finally {
      await source.close();
    }
  });

  it.each(['folder', 'dicom-web'])(
    'answers DICOMweb requests in the requested form from %s',
    async (source) => {
      const images =
        source === 'folder'
          ? { type: 'folder', path: sharedDataPath('dicom'), lookup: 'all-studies-on-server' }
          : { ...orthancTenant, lookup: 'all-studies-on-server' };
      const everyone = { any: testAccess([patient('p', 'p')]) };
      const served = await testSubgraph([testTenant(images)], everyone);
      const { studyUid, seriesUid, instanceUid } = at('emri_small_jpeg_2k');
      const instance = `/test/dicomweb/studies/${studyUid}/series/${seriesUid}/instances/${instanceUid}`;
      const get = (url: string, accept: string) =>
        served.app.inject({ url, headers: { accept, authorization: 'Bearer any' } });
      try {
        let whole = await get(instance, 'application/dicom');
        for (let n = 0; whole.statusCode === 503 && n < 20; n++) {
          await new Promise((resolve) => setTimeout(resolve, 500));
          whole = await get(instance, 'application/dicom');
        }
        expect(whole.statusCode).toBe(200);
        expect(whole.headers['content-type']).toBe(`application/dicom; transfer-syntax=${EXPLICIT}`);
        const study = `/test/dicomweb/studies/${studyUid}`;
        const parts = await get(study, 'multipart/related; type="application/dicom"');
        expect(parts.statusCode).toBe(200);
        expect(parts.body).toContain(`transfer-syntax=${EXPLICIT}`);
        const octets = await get(`${instance}/frames/2`, 'application/octet-stream');
        expect(octets.statusCode).toBe(200);
        expect(octets.rawPayload).toHaveLength(64 * 64 * 2);
        const stored = await get(`${instance}/frames/2`, '*/*');
        expect(stored.headers['content-type']).toContain(frameMediaType(TransferSyntax.JPEG2000Lossless));
        const jls = await get(`${instance}/frames/2`, 'image/jls');
        expect(jls.headers['content-type']).toBe('image/jls');
        expect((await get(`${instance}/frames/2`, 'image/jpeg')).statusCode).toBe(406);
      } finally {
        await served.close();
      }
    },
    60_000,
  );
});
