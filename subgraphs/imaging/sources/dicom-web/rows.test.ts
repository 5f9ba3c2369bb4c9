import { expect, test } from 'vitest';
import { readRows } from './rows.ts';

const read = (json: string) => {
  async function* body() {
    // In pieces that tear characters apart.
    for (const byte of Buffer.from(json)) yield Uint8Array.of(byte);
  }
  return readRows(body());
};

const sequence = (item: unknown) => ({ '00081115': { vr: 'SQ', Value: [item] } });
let deep: unknown = {};
for (let depth = 0; depth < 100; depth++) deep = sequence(deep);

test.each<[name: string, json: string]>([
  ['no JSON', '<html>'],
  ['nothing', ''],
  ['cut short', '[{"00100020":{"vr":"LO","Value":["1"]}}'],
  ['a data set without a list', '{}'],
  ['null', '[null]'],
  ['lists in a list', '[[]]'],
  ['texts', '["00100020"]'],
  ['sequences deeper than any', JSON.stringify([deep])],
  ['lists deeper than any stack', '['.repeat(200_000) + ']'.repeat(200_000)],
])('DW-15 an answer that is %s is 502', async (_, json) => {
  await expect(read(json)).rejects.toMatchObject({ code: 'bad_gateway', message: /makes no sense/ });
});

test.each<[name: string, sent: string, read: object]>([
  [
    'whole',
    '{"00100010":{"vr":"PN","Value":[{"Alphabetic":"Zoë"}]}}',
    { '00100010': { vr: 'PN', Value: [{ Alphabetic: 'Zoë' }] } },
  ],
  ['in lower case', '{"0020000d":{"vr":"UI","Value":["1.2"]}}', { '0020000D': { vr: 'UI', Value: ['1.2'] } }],
  ['of no tag', '{"__proto__":{"vr":"LO"},"PatientID":{"vr":"LO"}}', {}],
  ['no object', '{"00100020":"1","00100021":null,"00100030":["x"]}', {}],
  ['without VR', '{"00100020":{"Value":["1"]},"00100021":{"vr":7}}', {}],
  ['whose value is no list', '{"00100020":{"vr":"LO","Value":"1"}}', {}],
  [
    'with objects as text',
    '{"00100020":{"vr":"LO","Value":[{"toString":1},["1"],true,"1"]}}',
    { '00100020': { vr: 'LO', Value: [null, null, null, '1'] } },
  ],
  [
    'with names that are none',
    '{"00100010":{"vr":"PN","Value":[{"Alphabetic":{},"Phonetic":"x"},7]}}',
    { '00100010': { vr: 'PN', Value: [{ Phonetic: 'x' }, 7] } },
  ],
  [
    'with text for items',
    '{"00081115":{"vr":"SQ","Value":["x",null,{}]}}',
    { '00081115': { vr: 'SQ', Value: [null, null, {}] } },
  ],
  [
    'with addresses that are none',
    '{"7FE00010":{"vr":"OW","BulkDataURI":7,"InlineBinary":{}}}',
    { '7FE00010': { vr: 'OW' } },
  ],
])('DW-15 an element %s', async (_, sent, expected) => {
  expect(await read(`[${sent}]`)).toEqual([expected]);
});

test('DW-15 an answer without end is left', async () => {
  let asked = 0;
  async function* endless() {
    for (; ; asked++) yield Buffer.alloc(1024 * 1024, ' ');
  }
  await expect(readRows(endless())).rejects.toMatchObject({ code: 'bad_gateway' });
  expect(asked).toBeLessThanOrEqual(256);
});
