/** The least of a DICOMweb source that the test page needs; the product's is in `data/dicomweb`. */
import type { FrameBytes, ImageSource } from '../../src/data/source.ts';
import { Trouble } from '../../src/data/trouble.ts';
import type { Instance } from '../../src/domain/instance.ts';

const ANY = 'type="application/octet-stream"; transfer-syntax=*';
const HTJ2K = 'type="image/jphc"; transfer-syntax=1.2.840.10008.1.2.4.201';

/** @param isHtj2k frames are asked for in HTJ2K */
export function testSource(isHtj2k: boolean): ImageSource {
  const accept = `multipart/related; ${isHtj2k ? HTJ2K : ANY}`;
  return {
    async series({ dicomweb }, { study, series }, signal) {
      const url = `${dicomweb}/studies/${study}/series/${series}/metadata`;
      return (await (await ask(url, 'application/dicom+json', signal)).json()) as Instance[];
    },
    async frame({ dicomweb }, { study, series, instance, frame }, signal) {
      const url = `${dicomweb}/studies/${study}/series/${series}/instances/${instance}/frames/${frame}`;
      return onlyPart(new Uint8Array(await bodyOf(await ask(url, accept, signal))));
    },
    rendered: () => Promise.reject(new Trouble('not-found', '')),
    thumbnail: () => Promise.reject(new Trouble('not-found', '')),
    instances: () => {
      throw new Trouble('not-found', '');
    },
    async bulk(url, signal) {
      return new Uint8Array(await (await ask(url, 'application/octet-stream', signal)).arrayBuffer());
    },
  };
}

async function ask(url: string, accept: string, signal: AbortSignal): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(url, { headers: { accept }, signal });
  } catch (cause) {
    signal.throwIfAborted();
    throw new Trouble('offline', 'no answer', { cause });
  }
  if (answer.ok) return answer;
  const seconds = Number(answer.headers.get('retry-after') ?? NaN);
  const { status } = answer;
  if (status === 503) {
    throw new Trouble('busy', '', { status, ...(seconds >= 0 && { retryAfter: seconds * 1000 }) });
  }
  throw new Trouble(status === 404 ? 'not-found' : 'server', '', { status });
}

async function bodyOf(answer: Response): Promise<ArrayBuffer> {
  try {
    return await answer.arrayBuffer();
  } catch (cause) {
    throw cause instanceof DOMException ? cause : new Trouble('offline', 'the answer broke off', { cause });
  }
}

/** Returns the one part of a multipart answer. */
function onlyPart(body: Uint8Array): FrameBytes {
  const latin = new TextDecoder('latin1').decode(body.subarray(0, 2000));
  const head = latin.indexOf('\r\n\r\n');
  const boundary = latin.slice(0, latin.indexOf('\r\n'));
  const transferSyntax = /transfer-syntax="?([\d.]+)/.exec(latin)?.[1] ?? '1.2.840.10008.1.2.1';
  return { bytes: body.slice(head + 4, body.length - `\r\n${boundary}--\r\n`.length), transferSyntax };
}
