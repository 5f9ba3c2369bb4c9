import { expect, it } from 'vitest';
import { bulkDataCandidates, relativeBulkData } from './bulk-data-uri.ts';

const INSTANCE = '/studies/1/series/2/instances/3/';

it.each([
  [`http://pacs:8042/dicom-web${INSTANCE}bulk/7fe00010`, 'bulkdata/bulk/7fe00010'],
  [`https://pacs/rs${INSTANCE}bulkdata/7FE00010`, 'bulkdata/7FE00010'],
  [`https://pacs/rs${INSTANCE}bulkdata/x?offset=1&length=2`, 'bulkdata/x%3Foffset=1&length=2'],
  ['bulkdata/7FE00010', 'bulkdata/7FE00010'],
  ['http://169.254.169.254/latest', undefined],
  ['/etc/passwd', undefined],
  [`http://pacs${INSTANCE}metadata`, undefined],
  [`http://pacs${INSTANCE}bulkdata/../../metadata`, undefined],
  [`http://pacs${INSTANCE}bulkdata/%2e%2e/x`, undefined],
  ['http://pacs/studies/1/series/2/instances/4/bulkdata/7FE00010', undefined],
  ['../../bulkdata/x', undefined],
])('DW-4 converts %s to %s', (uri, expected) => expect(relativeBulkData(uri, INSTANCE)).toBe(expected));

it.each([
  ['bulkdata/7FE00010', ['bulkdata/7FE00010', 'bulk/7FE00010']],
  ['bulkdata/bulk/54000100/1/54001010', ['bulk/54000100/1/54001010']],
  ['bulkdata/x?offset=1', ['bulkdata/x?offset=1']],
  ['bulkdata/', []],
  ['bulkdata/../metadata', []],
  ['bulkdata/./x', []],
  ['bulkdata/a//b', []],
  ['bulkdata/%2e%2e/x', []],
  ['bulkdata/a\\b', []],
  ['bulkdata/http://127.0.0.1/', []],
  ['metadata', []],
])('IA-23 looks for %s at %j', (path, candidates) => expect(bulkDataCandidates(path)).toEqual(candidates));
