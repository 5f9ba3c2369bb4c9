import { DimseNode } from '../sources/dicom-dimse/node.ts';
import { dicomDimseSource } from '../sources/dicom-dimse.ts';
import { ParsingThreads } from '../threads/parsing-threads.ts';
import { PixelPool } from '../threads/pool.ts';
import { OBJECT_ELEMENTS } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { CONNECTIONS } from '../../../schema/tenant/tenant-file.ts';
import { OUR_AE, type DimseConfig } from './dimse.ts';

/**
 * Retrieves studies in a separate process with limited resources. Prints the number of instances, or the fault, of
 * each.
 */
const [directory = '', endpoint = '', retrieval = '', port = '', ...studies] = process.argv.slice(2);
const threads = new ParsingThreads();
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const node = new DimseNode({ directory, maxBytes: 1e9, port: Number(port), host: '127.0.0.1', threads, log });
const config = {
  type: 'dicom-dimse',
  ae: OUR_AE,
  calledAe: 'ORTHANC',
  endpoint,
  retrieval,
  connections: CONNECTIONS['dicom-dimse'],
} as DimseConfig;
const pixels = new PixelPool();
const parsing = { threads, objectElements: OBJECT_ELEMENTS };
const source = dicomDimseSource(config, node, { key: 'source', pixels, parsing });
const outcomes: (number | { code: string; retryAfter: number | undefined })[] = [];
for (const studyUid of studies) {
  let instances = 0;
  try {
    for await (const { stream } of source.retrieve({ studyUid }, '*')) {
      await stream.toArray();
      instances++;
    }
    outcomes.push(instances);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    outcomes.push({ code: error.code, retryAfter: error.details.retryAfter });
  }
}
await source.close();
await node.close();
await pixels.close();
await threads.close();
process.stdout.write(JSON.stringify(outcomes));
