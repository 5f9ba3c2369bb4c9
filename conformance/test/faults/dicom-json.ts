import { alters, answerOk, answers, asks, foreignRow, header, type Row } from './row.ts';

const METADATA = /\/studies\/[\d.]+\/metadata$/;
const METADATA_CHECKS = ['DW-6', 'DW-4/bulk-data-address'];

/** Faults of metadata and searches by DICOMweb. */
export const DICOM_JSON: readonly Row[] = [
  {
    fault: 'the metadata are plain JSON',
    only: METADATA_CHECKS,
    found: ['DW-6/levels'],
    plant: () => header(METADATA, 'content-type', 'application/json'),
  },
  {
    fault: 'numbers in the metadata are text',
    only: METADATA_CHECKS,
    found: ['DW-6/values'],
    plant: () =>
      alters(METADATA, (objects) => {
        for (const object of objects)
          if (object['00280010']) object['00280010'].Value = [String(object['00280010'].Value[0])];
      }),
  },
  {
    fault: 'bulk data lead to another host',
    only: ['DW-4/bulk-data-address', 'DW-6/values', 'DW-6/levels'],
    found: ['DW-4/bulk-data-address'],
    plant: () =>
      alters(METADATA, (objects) => {
        for (const object of objects)
          if (object['7FE00010']) object['7FE00010'].BulkDataURI = 'http://pacs.internal/bulk/1';
      }),
  },
  {
    fault: 'bulk data are empty',
    only: METADATA_CHECKS,
    found: ['DW-6/bulk-data'],
    plant: () => answers(/\/bulkdata/, (answer) => void (answer.body = Buffer.alloc(0))),
  },
  {
    fault: 'QIDO-RS has no instances',
    only: ['DW-1', 'DW-2/matching', 'DW-4/retrieve-url'],
    found: ['DW-1/levels'],
    plant: () => answers(/\/instances$/, (exchange) => answerOk(exchange, [])),
  },
  {
    fault: 'QIDO-RS does not know tags',
    only: ['DW-1', 'DW-2', 'DW-4/retrieve-url'],
    found: ['DW-2/matching'],
    plant: () => asks(/\?0020000D=.*/, ''),
  },
  {
    fault: 'QIDO-RS ignores offset',
    only: ['DW-1', 'DW-2'],
    found: ['DW-2/limit-and-offset'],
    plant: () => asks(/&offset=1/, ''),
  },
  {
    fault: 'QIDO-RS ignores an unknown key and finds all patients, without a warning',
    only: ['DW-1', 'DW-2', 'DW-3'],
    found: ['DW-3/unknown-key-not-wider', 'DW-3/unknown-key-told'],
    plant: (options) => ({
      answer(exchange) {
        if (!exchange.query.has('NoSuchAttribute')) return;
        delete exchange.headers['warning'];
        const rows = JSON.parse(exchange.body.toString()) as unknown[];
        answerOk(exchange, [...rows, foreignRow(options)]);
      },
    }),
  },
  {
    fault: 'RetrieveURL leads to another host',
    only: ['DW-1', 'DW-2', 'DW-4/retrieve-url'],
    found: ['DW-4/retrieve-url'],
    plant: () =>
      alters(/\/series$/, (rows) => {
        for (const row of rows) row['00081190'].Value = ['http://pacs.internal/dicom-web/studies/1'];
      }),
  },
  {
    fault: 'metadata are sent again to a client that has them',
    only: METADATA_CHECKS,
    found: ['DW-6/entity-tag'],
    plant: () => header(/./, 'etag', undefined),
  },
  {
    fault: 'bulk data are never sent in part',
    only: [...METADATA_CHECKS, 'DW-10'],
    found: ['DW-10/range'],
    plant: () => ({ answer: (exchange) => void (exchange.status === 206 && (exchange.status = 200)) }),
  },
];
