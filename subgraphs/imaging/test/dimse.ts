import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../../gateway/test/setup/free-port.ts';
import { startOrthanc, type Orthanc } from '../../../gateway/test/setup/orthanc.ts';
import type { ImagesConfig } from '../../../schema/tenant.ts';
import { PixelPool } from '../pixels/pool.ts';
import { dicomDimseSource } from '../sources/dicom-dimse.ts';
import { DimseNode } from '../sources/dicom-dimse/node.ts';
import type { ImagingSource } from '../sources/source.ts';

/** Our side of DIMSE in tests: a node of its own directory and port, and sources behind it. */

export type DimseConfig = Extract<ImagesConfig, { type: 'dicom-dimse' }>;
export const OUR_AE = 'GATEWAY';

export interface DimseSide {
  node: DimseNode;
  /** Where it keeps what it retrieved. */
  directory: string;
  port: number;
  source(config: Pick<DimseConfig, 'endpoint'> & Partial<DimseConfig>): ImagingSource;
  stop(): Promise<void>;
}

export async function openDimseSide(maxBytes = 1e9, directory?: string): Promise<DimseSide> {
  const port = await freePort();
  const own = directory ?? (await mkdtemp(join(tmpdir(), 'dimse-')));
  const node = new DimseNode({ directory: own, maxBytes, port, host: '127.0.0.1' });
  const pixels = new PixelPool();
  const sources: ImagingSource[] = [];
  return {
    node,
    directory: own,
    port,
    source(config) {
      const source = dicomDimseSource(
        {
          type: 'dicom-dimse',
          ae: OUR_AE,
          calledAe: 'ORTHANC',
          retrieval: 'c-get',
          ...config,
        } as DimseConfig,
        node,
        'source',
        pixels,
      );
      sources.push(source);
      return source;
    },
    async stop() {
      await Promise.all(sources.map((source) => source.close()));
      await Promise.all([node.close(), pixels.close()]);
      if (!directory) await rm(own, { recursive: true, force: true });
    },
  };
}

export interface DimseOrthanc extends DimseSide {
  orthanc: Orthanc;
  endpoint: string;
}

/**
 * Orthanc that knows us as the destination of C-MOVEs, and our side. It sends what it has as it is: left to transcode, it
 * converts or fails when compressed objects follow others in one C-MOVE, whoever receives.
 */
export async function openDimseOrthanc(
  files: Iterable<string | Uint8Array>,
  { maxBytes, configuration }: { maxBytes?: number; configuration?: Record<string, unknown> } = {},
): Promise<DimseOrthanc> {
  const side = await openDimseSide(maxBytes);
  const orthanc = await startOrthanc({
    files,
    modalities: { gateway: { aet: OUR_AE, port: side.port } },
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

export interface TcpProxy {
  port: number;
  /** Connections that were made through it, and how many of them are open. */
  made: number;
  open: number;
  /** Ends every connection once this many bytes have come from behind it. */
  cutAfter: number;
  stop(): Promise<void>;
}

/** Stands between us and a PACS, counts, and cuts when told to. */
export async function startTcpProxy(target: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1');
    proxy.made++;
    proxy.open++;
    let bytes = 0;
    far.on('data', (chunk) => {
      if ((bytes += chunk.length) > proxy.cutAfter) near.destroy();
    });
    near.on('close', () => proxy.open--);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => other.destroy());
      socket.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy: TcpProxy = {
    port: (server.address() as AddressInfo).port,
    made: 0,
    open: 0,
    cutAfter: Infinity,
    stop: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return proxy;
}

/** A Part 10 file without its File Meta Information: what DIMSE carries of it. */
export function dataSetOf(file: Buffer): Buffer {
  // PS3.10 §7.1: (0002,0000) comes first and counts what follows it.
  return file.subarray(144 + file.readUInt32LE(140));
}
