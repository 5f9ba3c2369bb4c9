import { expect, test } from 'vitest';
import { readRows } from './rows.ts';

const read = (json: string) => {
  async function* body() {
    // In pieces that split characters.
    for (const byte of Buffer.from(json)) yield Uint8Array.of(byte);
  }
  return readRows(body());
};

const sequence = (item: unknown) => ({ '00081115': { vr: 'SQ', Value: [item] } });
let deep: unknown = {};
for (let depth = 0; depth < 100; depth++) deep = sequence(deep);

test.each<[name: string, json: string]>([
  ['not JSON', '<html>'],
  ['empty', ''],
  ['cut short', '[{"00100020":{"vr":"LO","Value":["1"]}}'],
  ['a data set without a list', '{}'],
  ['null', '[null]'],
  ['a list of lists', '[[]]'],
  ['a list of texts', '["00100020"]'],
  ['sequences that are too deep', JSON.stringify([deep])],
  ['lists deeper than the stack', '['.repeat(200_000) + ']'.repeat(200_000)],
])('DW-15 answers 502 for an answer that is %s', async (_, json) => {
  await expect(read(json)).rejects.toMatchObject({ code: 'bad_gateway', message: /is not valid/ });
});

test.each<[name: string, sent: string, read: object]>([
  [
    'with a name',
    '{"00100010":{"vr":"PN","Value":[{"Alphabetic":"Zoë"}]}}',
    { '00100010': { vr: 'PN', Value: [{ Alphabetic: 'Zoë' }] } },
  ],
  [
    'with a tag in lower case',
    '{"0020000d":{"vr":"UI","Value":["1.2"]}}',
    { '0020000D': { vr: 'UI', Value: ['1.2'] } },
  ],
  ['without a tag', '{"__proto__":{"vr":"LO"},"PatientID":{"vr":"LO"}}', {}],
  ['that is not an object', '{"00100020":"1","00100021":null,"00100030":["x"]}', {}],
  ['without VR', '{"00100020":{"Value":["1"]},"00100021":{"vr":7}}', {}],
  ['with a value that is not a list', '{"00100020":{"vr":"LO","Value":"1"}}', {}],
  [
    'with objects in place of text',
    '{"00100020":{"vr":"LO","Value":[{"toString":1},["1"],true,"1"]}}',
    { '00100020': { vr: 'LO', Value: [null, null, null, '1'] } },
  ],
  [
    'with invalid names',
    '{"00100010":{"vr":"PN","Value":[{"Alphabetic":{},"Phonetic":"x"},7]}}',
    { '00100010': { vr: 'PN', Value: [{ Phonetic: 'x' }, 7] } },
  ],
  [
    'with text in place of items',
    '{"00081115":{"vr":"SQ","Value":["x",null,{}]}}',
    { '00081115': { vr: 'SQ', Value: [null, null, {}] } },
  ],
  [
    'with invalid addresses',
    '{"7FE00010":{"vr":"OW","BulkDataURI":7,"InlineBinary":{}}}',
    { '7FE00010': { vr: 'OW' } },
  ],
])('DW-15 reads the valid part of an element %s', async (_, sent, expected) => {
  expect(await read(`[${sent}]`)).toEqual([expected]);
});

test('DW-15 stops reading an answer without an end', async () => {
  let asked = 0;
  async function* endless() {
    for (; ; asked++) yield Buffer.alloc(1024 * 1024, ' ');
  }
  await expect(readRows(endless())).rejects.toMatchObject({ code: 'bad_gateway' });
  expect(asked).toBeLessThanOrEqual(256);
});

test('tells the operator about a list of other things, as the REST API of Orthanc gives', async () => {
  await expect(read('["6b9e19d9-62094390-5f9ddb01-4a191ae7-9766b715"]')).rejects.toMatchObject({
    cause: { message: expect.stringContaining('images.endpoint may not be the root') as string },
  });
});
