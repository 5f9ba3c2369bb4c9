import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../../gateway/test/setup/free-port.ts';
import { startOrthanc, type Orthanc } from '../../../gateway/test/setup/orthanc.ts';
import { OBJECT_ELEMENTS } from '../../../schema/dicom/dicom.ts';
import type { TlsConfig } from '../../../schema/outbound/tls.ts';
import { CONNECTIONS } from '../../../schema/tenant/tenant-file.ts';
import type { ImagesConfig } from '../../../schema/tenant/tenant.ts';
import { ParsingThreads } from '../threads/parsing-threads.ts';
import { PixelPool } from '../threads/pool.ts';
import { dicomDimseSource } from '../sources/dicom-dimse.ts';
import { DimseNode } from '../sources/dicom-dimse/node.ts';
import type { ImagingSource } from '../sources/source.ts';

/** The gateway's side of DIMSE in tests: a node with its own directory and port, and sources that use it. */

export type DimseConfig = Extract<ImagesConfig, { type: 'dicom-dimse' }>;
export const OUR_AE = 'GATEWAY';

/**
 * Where the SCP listens if it has TLS: what it refuses then is counted. Clients of other tests that still look for a server that
 * had its port before come to 127.0.0.1.
 */
export const TLS_ADDRESS = '127.0.0.2';

export interface DimseSide {
  node: DimseNode;
  /** Reasons of all refused associations and objects. */
  refused: string[];
  /** Log lines of refusals. */
  logged: object[];
  /** Directory of its retrievals. */
  directory: string;
  /** Where its SCP listens. */
  host: string;
  port: number;
  source(config: Pick<DimseConfig, 'endpoint'> & Partial<DimseConfig>): ImagingSource;
  stop(): Promise<void>;
}

/** @param tls certificates of the C-STORE SCP, for `TLS_ADDRESS` */
export async function openDimseSide(maxBytes = 1e9, directory?: string, tls?: TlsConfig): Promise<DimseSide> {
  const port = await freePort();
  const host = tls ? TLS_ADDRESS : '127.0.0.1';
  const [refused, logged]: [string[], object[]] = [[], []];
  const add = (details: object) => void logged.push(details);
  const log = { info: add, warn: add, error: add };
  const onRefused = (reason: string) => void refused.push(reason);
  const own = directory ?? (await mkdtemp(join(tmpdir(), 'dimse-')));
  const threads = new ParsingThreads();
  const node = new DimseNode({ directory: own, maxBytes, port, host, tls, threads, log, onRefused });
  const pixels = new PixelPool();
  const sources: ImagingSource[] = [];
  return {
    node,
    refused,
    logged,
    directory: own,
    host,
    port,
    source(config) {
      const source = dicomDimseSource(
        {
          type: 'dicom-dimse',
          ae: OUR_AE,
          calledAe: 'ORTHANC',
          retrieval: 'c-get',
          connections: CONNECTIONS['dicom-dimse'],
          ...config,
        } as DimseConfig,
        node,
        { key: 'source', tenant: 'hospital', pixels, parsing: { threads, objectElements: OBJECT_ELEMENTS } },
      );
      sources.push(source);
      return source;
    },
    async stop() {
      await Promise.all(sources.map((source) => source.close()));
      await Promise.all([node.close(), pixels.close(), threads.close()]);
      if (!directory) await rm(own, { recursive: true, force: true });
    },
  };
}

export interface DimseOrthanc extends DimseSide {
  orthanc: Orthanc;
  endpoint: string;
}

/**
 * Opens an Orthanc that has the gateway as a destination of C-MOVEs, and the gateway's side. It does not transcode:
 * otherwise it converts, or fails, when compressed objects follow others in one C-MOVE, with any receiver.
 */
export async function openDimseOrthanc(
  files: Iterable<string | Uint8Array>,
  {
    maxBytes,
    configuration,
    tls,
  }: { maxBytes?: number; configuration?: Record<string, unknown>; tls?: TlsConfig } = {},
): Promise<DimseOrthanc> {
  const side = await openDimseSide(maxBytes, undefined, tls);
  const orthanc = await startOrthanc({
    files,
    modalities: { gateway: { aet: OUR_AE, host: side.host, port: side.port, tls: tls !== undefined } },
    configuration: { TranscodeDicomProtocol: false, ...configuration },
  });
  return {
    ...side,
    orthanc,
    endpoint: `dimse://127.0.0.1:${orthanc.dicomPort}`,
    async stop() {
      await side.stop();
      await orthanc.stop();
    },
  };
}

/** Returns a Part 10 file without its File Meta Information, as DIMSE carries it. */
export function dataSetOf(file: Buffer): Buffer {
  // PS3.10 §7.1: (0002,0000) comes first and has the length of the rest of the group.
  return file.subarray(144 + file.readUInt32LE(140));
}
