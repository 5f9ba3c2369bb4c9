/** Stands before the gateway, and makes one of its series longer: each image is there several times, under other UIDs. */
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type Instance = Record<string, { vr: string; Value?: unknown[] }>;

const SOP_INSTANCE_UID = '00080018';
const INSTANCE_NUMBER = '00200013';
const IMAGE_POSITION = '00200032';
/** Ends the UID of a copy. */
const COPY = /\.9999\.(\d+)$/;

export interface LongerSeries {
  port: number;
  close(): void;
}

const HTJ2K = 'multipart/related; type="image/jphc"; transfer-syntax=1.2.840.10008.1.2.4.201';

/**
 * @param target port of the gateway
 * @param series UID
 * @param options `count`: images that it has then; `isHtj2k`: frames come in HTJ2K
 */
export async function startLongerSeries(
  target: () => number,
  series: () => string,
  { count, isHtj2k }: { count: number; isHtj2k: boolean },
): Promise<LongerSeries> {
  const server = createServer((incoming, answer) => {
    const path = (incoming.url ?? '/').replace(/(\/instances\/[\d.]+?)\.9999\.\d+(?=\/)/, '$1');
    const isLonger = path.endsWith(`/series/${series()}/metadata`);
    const headers = {
      ...incoming.headers,
      ...(isLonger && { 'accept-encoding': 'identity' }),
      ...(isHtj2k && /\/frames\/\d+$/.test(path) && { accept: HTJ2K }),
    };
    const asked = request({ host: '127.0.0.1', port: target(), path, method: incoming.method, headers });
    asked.on('response', (response) => {
      if (isLonger) return void lengthen(response, answer, count);
      answer.writeHead(response.statusCode!, response.headers);
      response.pipe(answer);
    });
    asked.on('error', () => answer.destroy());
    answer.on('close', () => asked.destroy());
    incoming.pipe(asked);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function lengthen(response: IncomingMessage, answer: ServerResponse, count: number): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  const images = JSON.parse(Buffer.concat(chunks).toString()) as Instance[];
  const longer = Array.from({ length: count }, (_, at) => copyOf(images[at % images.length]!, at));
  answer.writeHead(200, { 'content-type': 'application/dicom+json' }).end(JSON.stringify(longer));
}

function copyOf(instance: Instance, at: number): Instance {
  const uid = String(instance[SOP_INSTANCE_UID]!.Value![0]).replace(COPY, '');
  const [x, y] = (instance[IMAGE_POSITION]?.Value ?? [0, 0]) as [number, number];
  return {
    ...instance,
    [SOP_INSTANCE_UID]: { vr: 'UI', Value: [`${uid}.9999.${at}`] },
    [INSTANCE_NUMBER]: { vr: 'IS', Value: [at + 1] },
    [IMAGE_POSITION]: { vr: 'DS', Value: [x, y, at] },
  };
}
