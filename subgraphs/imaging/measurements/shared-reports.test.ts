/** Real structured reports, as they are and as DCMTK writes them (FG-18). */
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { describeWithSharedData, sharedDataPath } from '../../../gateway/test/setup/shared-data.ts';
import { decimalText } from '../../../schema/fhir/decimal.ts';
import { testAccess, testSubgraph, testTenant, type TestSubgraph } from '../test/subgraph.ts';

const run = promisify(execFile);
const STUDY = '1.3.6.1.4.1.5962.1.2.1.20040119072730.12322';
const FILE = 'sr_document_with_multiple_groups.dcm';

describeWithSharedData('real structured reports', () => {
  let directory: string;
  let served: TestSubgraph;
  const tenants = () =>
    ['real', 'dcmtk'].map((key) =>
      testTenant({ type: 'folder', path: join(directory, key), lookup: 'all-studies-on-server' }, key),
    );
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'reports-'));
    await run('mkdir', ['real', 'dcmtk'], { cwd: directory });
    await copyFile(sharedDataPath('dicom/sr', FILE), join(directory, 'real', FILE));
    await run('dsr2xml', [join('real', FILE), 'report.xml'], { cwd: directory });
    await run('xml2dsr', ['report.xml', join('dcmtk', FILE)], { cwd: directory });
    served = await testSubgraph(tenants(), {});
  });
  afterAll(async () => {
    await served?.close();
    await rm(directory, { recursive: true, force: true });
  });

  test('FG-18 a TID 1500 report gives its measurements, whoever wrote the file', async () => {
    const [real, dcmtk] = await Promise.all(
      tenants().map((tenant) => vi.waitFor(() => measurements(tenant), { timeout: 20_000, interval: 100 })),
    );
    expect(real!.failed).toEqual([]);
    expect(
      real!.observations.map(({ code, identifier, valueQuantity: of, bodySite }) => [
        code.text,
        identifier?.[1]?.value,
        of && `${decimalText(of.value)} ${of.code}`,
        bodySite?.text,
      ]),
    ).toEqual([
      ['Intensity Histogram Mean (X6K6, IBSI)', 'Image0001', "-119.07385253906 [hnsf'U]", undefined],
      ['Anatomical position (finding)', 'Image0001', undefined, undefined],
      ['Diameter', 'LungNodule0001', '10.0 mm', 'Lung'],
      ['Level of Significance', 'LungNodule0001', undefined, 'Lung'],
      ['Diameter', 'Aorta0001', '20.0 mm', undefined],
      ['Volume', 'Vertebra0001', '200.0 mm3', undefined],
    ]);
    expect(dcmtk).toEqual(real);
  });

  async function measurements(tenant: ReturnType<typeof testTenant>) {
    const access = testAccess('all', 'system/ImagingStudy.rs');
    const found = await served.subgraph.studyImages(tenant, access).measurements(STUDY);
    expect(found.observations.length).toBeGreaterThan(0);
    return found;
  }
});
