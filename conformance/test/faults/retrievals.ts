import type { Fault } from '../fault-proxy.ts';
import { plant } from '../../../gateway/test/setup/retrieval-checker.ts';
import { answerOk, answers, asks, header, type Row } from './row.ts';

/** Alters a multipart body as text of single bytes. */
const multipart = (path: RegExp, alter: (body: string, boundary: string) => string): Fault =>
  answers(path, (exchange) => {
    const boundary = /boundary="?([^";]+)/.exec(String(exchange.headers['content-type']))?.[1];
    if (boundary) exchange.body = Buffer.from(alter(exchange.body.toString('latin1'), boundary), 'latin1');
  });
const WHOLE = /\/studies\/[\d.]+$/;
const OBJECTS = ['IA-21', 'DW-5', 'DW-13'];

/** Faults of retrievals. */
export const RETRIEVALS: readonly Row[] = [
  {
    fault: 'an object is missing in the study',
    only: OBJECTS,
    found: ['IA-21/whole-study'],
    plant: () =>
      multipart(WHOLE, (body, boundary) => {
        const [before, , ...parts] = body.split(`--${boundary}`);
        return [before, ...parts].join(`--${boundary}`);
      }),
  },
  {
    fault: 'the study ends in the middle',
    only: OBJECTS,
    found: ['IA-21/whole-study', 'DW-13/closed-multipart'],
    plant: () => multipart(WHOLE, (body) => body.slice(0, body.length / 2)),
  },
  {
    fault: 'only the closing boundary is missing',
    only: ['DW-13'],
    found: ['DW-13/closed-multipart'],
    plant: () => multipart(WHOLE, (body, boundary) => body.replace(`--${boundary}--`, '')),
  },
  {
    fault: 'a part says another transfer syntax',
    only: OBJECTS,
    found: ['DW-5/part-types'],
    plant: () =>
      multipart(WHOLE, (body) =>
        body.replace(
          /content-type: application\/dicom[^\r]*/i,
          'Content-Type: application/dicom; transfer-syntax=1.2.840.10008.1.2.4.90',
        ),
      ),
  },
  {
    fault: 'a series has the objects of the study',
    only: OBJECTS,
    found: ['DW-5/series-and-instance'],
    plant: () => ({
      request({ url }) {
        const [, study] = /\/studies\/([\d.]+)\/series\/[\d.]+$/.exec(url) ?? [];
        if (study === undefined) return {};
        plant(study);
        return { url: url.replace(/\/series\/[\d.]+$/, '') };
      },
    }),
  },
  {
    fault: 'the default transfer syntax is as stored, and compressed',
    only: ['DW-5/default-transfer-syntax'],
    found: ['DW-5/default-transfer-syntax'],
    // A UID of the same length, padded as in the file.
    plant: () =>
      multipart(/\/instances\/[\d.]+$/, (body) =>
        body.replace('1.2.840.10008.1.2.1\0', '1.2.840.10008.1.2.2\0'),
      ),
  },
  {
    fault: 'the form of SMART Imaging Access is not acceptable',
    only: [...OBJECTS, 'DW-11'],
    found: ['DW-11/accept-forms', 'DW-5/series-and-instance'],
    plant: () =>
      answers(/\/instances\/[\d.]+$/, (answer) => {
        if (
          String(answer.headers['content-type']).startsWith('multipart/') &&
          !/type="application/.test(answer.url)
        )
          answer.status = 406;
      }),
  },
  {
    fault: 'an absent study is an empty answer',
    only: ['DW-12'],
    found: ['DW-12/absent-study'],
    plant: () => ({ answer: (answer) => void (answer.status === 404 && answerOk(answer, [])) }),
  },
  {
    fault: 'images may be kept by shared caches',
    only: ['DW-14', 'DW-5'],
    found: ['DW-14/not-public', 'DW-14/private'],
    plant: () => header(/\/frames\//, 'cache-control', 'public, max-age=600'),
  },
  {
    fault: 'an answer does not vary by the token',
    only: ['DW-14', 'DW-5'],
    found: ['DW-14/vary'],
    plant: () => header(/\/frames\//, 'vary', 'Accept-Encoding, Accept'),
  },
  {
    fault: 'the frame is two parts',
    only: ['DW-7'],
    found: ['DW-7/frame'],
    plant: () =>
      multipart(/\/frames\/1$/, (body, boundary) => {
        const [before, part, end] = body.split(`--${boundary}`);
        return [before, part, part, end].join(`--${boundary}`);
      }),
  },
  {
    fault: 'a frame that does not exist is the first one',
    only: ['DW-7'],
    found: ['DW-7/frame-out-of-range', 'DW-7/frame-not-found'],
    plant: () => asks(/\/frames\/\d+$/, '/frames/1'),
  },
  {
    fault: 'a picture is of another type than it says',
    only: ['DW-8', 'DW-9'],
    found: ['DW-8/rendered-png'],
    plant: () =>
      answers(/\/rendered$/, (answer) => {
        if (answer.headers['content-type'] === 'image/png') answer.body = Buffer.from('<svg/>');
      }),
  },
  {
    fault: 'no picture can be had as JPEG',
    only: ['DW-8', 'DW-9'],
    found: ['DW-8/rendered-jpeg', 'DW-9/thumbnail'],
    plant: () =>
      answers(/\/(rendered|thumbnail)$/, ({ headers }) => {
        if (headers['content-type'] === 'image/jpeg') headers['content-type'] = 'text/html';
      }),
  },
  {
    fault: 'an object in single part and in zip is another one than it says',
    only: ['DW-5'],
    found: ['DW-5/single-part', 'DW-5/zip'],
    plant: () =>
      answers(/\/instances\/[\d.]+$/, (exchange) => {
        if (/^application\/(dicom|zip)/.test(String(exchange.headers['content-type'])))
          exchange.body = exchange.body.subarray(1);
      }),
  },
  {
    fault: 'a media type that cannot be produced, and a bad UID, are 404',
    only: ['DW-11', 'DW-12', 'DW-1'],
    found: ['DW-11/not-acceptable', 'DW-12/bad-uid', 'DW-1/not-acceptable'],
    plant: () =>
      answers(/./, (exchange) => void ([400, 406].includes(exchange.status) && (exchange.status = 404))),
  },
];
