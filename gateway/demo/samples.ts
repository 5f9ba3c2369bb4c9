import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Bundle } from 'fhir/r4.js';
import { request, type Dispatcher } from 'undici';
import { patientBundles } from './patients.ts';

/** A server that takes samples. */
export interface SampleServer {
  /** FHIR base URL, or base URL of DICOMweb. */
  url: string;
  /** Value of the header Authorization; undefined for an open server. */
  authorization?: string | undefined;
}

/** Called after each step with the steps done, and all steps. */
type OnProgress = (done: number, total: number) => void;

/** An error of a server or of an argument, which is reported without a stack. */
export class SampleError extends Error {
  /** Status of the answer, if there was one. */
  readonly status: number | undefined;

  constructor(message: string, status?: number) {
    super(message);
    this.status = status;
  }
}

/** Milliseconds between two attempts to reach a server. */
const PAUSE = 2_000;
/** Images that are sent at one time. */
const PARALLEL = 4;
const BOUNDARY = 'sample-image';

/**
 * Waits until a server answers a request with success.
 * @param path below its URL
 * @param seconds after which it is given up
 * @throws SampleError at once if it refuses the credentials, otherwise after that time
 */
export async function waitFor(server: SampleServer, path: string, seconds: number): Promise<void> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const reason = await send(server, { method: 'GET', path }).then(
      () => undefined,
      (error: SampleError) => error,
    );
    if (!reason) return;
    if (reason.status === 401 || reason.status === 403) throw reason;
    if (Date.now() + PAUSE > end) throw new SampleError(`not ready after ${seconds} s: ${reason.message}`);
    await delay(PAUSE);
  }
}

/**
 * Writes the records of the demonstration: those of the hospital first, because the patients' refer to them. Each resource
 * has its id, so that a repetition changes nothing.
 * @returns the number of resources
 * @throws SampleError when the server refuses one
 */
export async function loadRecords(server: SampleServer, onProgress: OnProgress): Promise<number> {
  const bundles = patientBundles();
  let resources = 0;
  for (const [index, bundle] of bundles.entries()) {
    const sent = {
      ...({ method: 'POST', path: '', type: 'application/fhir+json' } as const),
      body: JSON.stringify(bundle),
    };
    const { entry = [] } = JSON.parse(await send(server, sent)) as Bundle;
    const written = entry.filter(({ response }) => response?.status.startsWith('2')).length;
    if (written !== bundle.entry!.length) {
      throw new SampleError(`${server.url} wrote ${written} of ${bundle.entry!.length} resources`);
    }
    resources += written;
    onProgress(index + 1, bundles.length);
  }
  return resources;
}

/**
 * Stores the images of a folder (PS3.18 §10.5, STOW-RS), one in each request.
 * @param folder as `buildDemoImages` makes it: the patients of the images are those of the records
 * @returns the number of images
 * @throws SampleError when the server refuses one
 */
export async function loadImages(
  server: SampleServer,
  folder: string,
  onProgress: OnProgress,
): Promise<number> {
  const names = await readdir(folder, { recursive: true });
  const files = names.filter((name) => name.endsWith('.dcm')).sort();
  const queue = files.values();
  let done = 0;
  const store = async () => {
    for (const file of queue) {
      await storeImage(server, await readFile(join(folder, file)));
      onProgress(++done, files.length);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, store));
  return files.length;
}

async function storeImage(server: SampleServer, file: Buffer): Promise<void> {
  const head = `--${BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n`;
  const answer = await send(server, {
    ...({ method: 'POST', path: '/studies', accept: 'application/dicom+json' } as const),
    type: `multipart/related; type="application/dicom"; boundary=${BOUNDARY}`,
    body: Buffer.concat([Buffer.from(head), file, Buffer.from(`\r\n--${BOUNDARY}--\r\n`)]),
  });
  // FailedSOPSequence: an answer with success may still refuse the image.
  if ('00081198' in (JSON.parse(answer) as object))
    throw new SampleError(`${server.url} refused an image: ${short(answer)}`);
}

interface Sent {
  method: Dispatcher.HttpMethod;
  path: string;
  type?: string;
  accept?: string;
  body?: string | Buffer;
}

/** Returns the text of an answer with success. @throws SampleError for every other one, and without an answer */
async function send(
  { url, authorization }: SampleServer,
  { method, path, type, accept, body }: Sent,
): Promise<string> {
  const target = `${url.replace(/\/+$/, '')}${path}`;
  const headers = {
    accept: accept ?? 'application/json',
    ...(type && { 'content-type': type }),
    ...(authorization && { authorization }),
  };
  try {
    // reset: archives close idle connections soon, and a request on such a connection fails.
    const answer = await request(target, { method, headers, body: body ?? null, reset: true });
    const text = await answer.body.text();
    if (answer.statusCode < 300) return text;
    throw new SampleError(`${method} ${target}: ${answer.statusCode} ${short(text)}`, answer.statusCode);
  } catch (error) {
    if (error instanceof SampleError) throw error;
    throw new SampleError(
      `${method} ${target}: ${(error as Error).message || String((error as { code?: unknown }).code)}`,
    );
  }
}

const short = (text: string) => text.replace(/\s+/g, ' ').slice(0, 500);
