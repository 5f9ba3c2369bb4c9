/** Series as DICOM files from a real gateway, also when the answer ends early. */
import { parseDicom } from 'dicom-parser';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startGateway, type GatewayProcess } from '../../gateway/test/setup/gateway.ts';
import { DicomwebSource } from '../src/data/dicomweb/dicomweb-source.ts';
import { RestSource } from '../src/data/rest/rest-source.ts';
import { Transport } from '../src/data/transport.ts';
import { text } from '../src/domain/instance.ts';
import { startFaultProxy, type FaultProxy } from './setup/fault-proxy.ts';
import { imagesAreThere } from './setup/images-are-there.ts';

const HELEN = '87a339d0-8cae-418e-89c7-8651e6aab3c6';
const never = new AbortController().signal;

let proxy: FaultProxy;
let gateway: GatewayProcess;
let images: DicomwebSource;

beforeAll(async () => {
  proxy = await startFaultProxy();
  gateway = await startGateway({ BASE_URL: proxy.url, VIEWER_URL: `${proxy.url}/app/` });
  proxy.target = Number(new URL(gateway.url).port);
  await imagesAreThere(proxy.url);
  images = new DicomwebSource(new Transport([`${proxy.url}/open`]));
}, 240_000);
afterAll(async () => {
  await gateway?.stop();
  await proxy?.stop();
});
afterEach(() => {
  proxy.fault = () => undefined;
});

/** Returns the first series of a study of Helen's, and its place. */
async function opened(description: string) {
  const source = new RestSource(`${proxy.url}/open/fhir`, new Transport([`${proxy.url}/open`]));
  const { studies } = await source.record(HELEN, never);
  const study = studies.find((one) => one.description?.includes(description))!;
  return { at: study.location!, name: { study: study.uid, series: study.series[0]!.uid } };
}

/** Returns the instances of a series, read as DICOM files (PS3.10 §7.1), and the trouble they end with. */
async function filesOf(description: string): Promise<{ uids: string[]; trouble?: unknown }> {
  const { at, name } = await opened(description);
  const uids: string[] = [];
  try {
    for await (const file of images.instances(at, name, never)) {
      expect(new TextDecoder().decode(file.subarray(128, 132))).toBe('DICM');
      uids.push(parseDicom(file).string('x00080018')!);
    }
  } catch (trouble) {
    return { uids, trouble };
  }
  return { uids };
}

test('DW-5 the instances of a series come as files, each once; they are the stored ones', async () => {
  const { at, name } = await opened('MR brain');
  const expected = (await images.series(at, name, never)).map((one) => text(one, '00080018')!);
  const { uids, trouble } = await filesOf('MR brain');
  expect(trouble).toBeUndefined();
  expect(uids.sort()).toEqual(expected.sort());
});

test.each([
  ['ends', 'damaged'],
  ['breaks', 'offline'],
] as const)('files whose answer %s early have come so far, and say what happened: %s', async (how, kind) => {
  const { name } = await opened('MR brain');
  const whole = await filesOf('MR brain');
  proxy.fault = ({ path }) =>
    path.endsWith(`/series/${name.series}`) ? { cutAfter: 200_000, how } : undefined;
  const { uids, trouble } = await filesOf('MR brain');
  expect(trouble).toMatchObject({ kind });
  expect(uids.length).toBeGreaterThan(0);
  expect(uids.length).toBeLessThan(whole.uids.length);
});
