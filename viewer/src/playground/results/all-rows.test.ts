/** All rows of a list: by stream and by pages, whole or not at all. */
import { describe, expect, test } from 'vitest';
import type { Asked, GraphqlAnswer } from '../answer.ts';
import {
  readAllRows,
  rowCounter,
  savedStream,
  type Read,
  type RowFormat,
  type RowReader,
} from './all-rows.ts';
import { firstOf, listsOf, nameOf } from './lists.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

test.each<['csv' | 'ndjson', string, number]>([
  ['csv', 'id,text\r\na,1\r\nb,2\r\n', 2],
  ['csv', 'id,text\r\na,"two\r\nlines, and ""quotes"""\r\n', 1],
  ['csv', 'id\r\n', 0],
  ['ndjson', '{"text":"a \\" quote"}\n{"text":"b"}\n', 2],
])('rows of %s are counted in parts of any size: %j', (format, text, count) => {
  for (const size of [1, 3, 1000]) {
    const countOf = rowCounter(format);
    let last = { rows: 0 };
    for (let at = 0; at < text.length; at += size) last = countOf(bytes(text.slice(at, at + size)));
    expect(last).toEqual({ rows: count });
  }
});

/** Returns a saving whose counts are kept. */
function saving(format: RowFormat = 'csv') {
  const counts: Read[] = [];
  const controller = new AbortController();
  return {
    format,
    signal: controller.signal,
    onread: (read: Read): void => void counts.push(read),
    counts,
    controller,
  };
}

describe('a stream', () => {
  const parts = (texts: readonly string[], end: (stream: ReadableStreamDefaultController) => void) =>
    new Response(
      new ReadableStream<Uint8Array>({
        pull(stream) {
          const text = texts[at++];
          if (text === undefined) end(stream);
          else stream.enqueue(bytes(text));
        },
      }),
    );
  let at = 0;

  test('is a file with its count', async () => {
    at = 0;
    const one = saving();
    const file = await savedStream(
      parts(['id\r\na\r\n', 'b\r\n'], (stream) => stream.close()),
      one,
    );
    expect(await file.text()).toBe('id\r\na\r\nb\r\n');
    expect(file.type).toBe('text/csv');
    expect(one.counts.at(-1)).toEqual({ rows: 2 });
  });

  test('that breaks off is none, and says how far it came', async () => {
    at = 0;
    const broken = parts(['id\r\na\r\n'], (stream) => stream.error(new TypeError('network error')));
    await expect(savedStream(broken, saving())).rejects.toThrow(
      'The rows broke off after 1. Nothing was saved: save them again.',
    );
  });

  test('of Parquet is a file with its bytes', async () => {
    at = 0;
    const one = saving('parquet');
    const file = await savedStream(
      parts(['PAR1 rows', ' and their end PAR1'], (stream) => stream.close()),
      one,
    );
    expect([await file.text(), file.type]).toEqual([
      'PAR1 rows and their end PAR1',
      'application/vnd.apache.parquet',
    ]);
    expect(one.counts).toEqual([{ bytes: 9 }, { bytes: 28 }]);
  });

  test.each<[string, (stream: ReadableStreamDefaultController) => void]>([
    ['breaks off', (stream) => stream.error(new TypeError('network error'))],
    ['ends before its end', (stream) => stream.close()],
  ])('of Parquet that %s is none', async (_what, end) => {
    at = 0;
    await expect(savedStream(parts(['PAR1 rows'], end), saving('parquet'))).rejects.toThrow(
      'The rows broke off after 9 bytes. Nothing was saved: save them again.',
    );
  });

  test('that is cancelled ends', async () => {
    at = 0;
    const one = saving();
    const endless = parts(Array<string>(100).fill('a\r\n'), (stream) => stream.close());
    one.onread = () => one.controller.abort();
    await expect(savedStream(endless, one)).rejects.toThrow('Nothing was saved');
  });
});

describe('pages of a connection', () => {
  // Two connections: the server streams no such query.
  const query =
    'query Q($c: String) { X: XConnection(_count: 1, _cursor: $c) { edges { resource { id Inner: YConnection { count } } } } }';
  const asked: Asked = { query, variables: {} };
  const rowOf = (id: string, more = {}) => ({ resource: { id, ...more } });
  const pages: Record<string, GraphqlAnswer> = {
    start: { data: { X: { _next: 'c1', edges: [rowOf('a')] } } },
    c1: { data: { X: { _next: 'c2', edges: [rowOf('b', { late: 1 })] } } },
    c2: { data: { X: { _next: null, edges: [rowOf('c')] } } },
  };

  /** Reads all rows from pages by their cursor. */
  async function read(from: Record<string, GraphqlAnswer>, one = saving()) {
    const seen: Asked[] = [];
    const reader: RowReader = {
      stream: () => Promise.reject(new Error('No stream.')),
      page(asked) {
        if (typeof asked === 'string') throw new Error('No REST.');
        seen.push(asked);
        return Promise.resolve(structuredClone(from[String(asked.variables['c'] ?? 'start')]));
      },
    };
    const json = from['start']!;
    const list = firstOf(listsOf(json.data))!;
    const answer = { asked, status: 200, milliseconds: 1, bytes: 1, text: '', json };
    const file = await readAllRows(reader, { answer, list }, one);
    return { text: await file.text(), seen };
  }

  test('are followed to the last one, under the columns of all', async () => {
    const one = saving();
    const { text, seen } = await read(pages, one);
    expect(text).toBe('resource.id,resource.late\r\na,\r\nb,1\r\nc,\r\n');
    expect(one.counts).toEqual([{ rows: 1 }, { rows: 2 }, { rows: 3 }]);
    expect(seen.map(({ variables }) => variables['c'])).toEqual([undefined, 'c1', 'c2']);
    expect(seen[0]!.query).toContain('_next: next');
  });

  test('are also written as NDJSON', async () => {
    expect((await read(pages, saving('ndjson'))).text.split('\n')[1]).toBe(
      '{"resource.id":"b","resource.late":1}',
    );
  });

  test.each<[string, GraphqlAnswer, RegExp]>([
    [
      'an error',
      { data: null, errors: [{ message: 'Too much.' }] },
      /^Too much\. .*after 1\. Nothing was saved/,
    ],
    ['the page before', { data: { X: { _next: 'c1', edges: [rowOf('b')] } } }, /after 2\. Nothing was saved/],
  ])('with %s are no file', async (_what, second, words) => {
    await expect(read({ ...pages, c1: second })).rejects.toThrow(words);
  });
});

test('pages of a Bundle are followed by their links', async () => {
  const bundle = (id: string, url?: string) => ({
    data: {
      Bundle: {
        resourceType: 'Bundle',
        link: url ? [{ relation: 'next', url }] : [],
        entry: [{ resource: { id } }],
      },
    },
  });
  const from: Record<string, GraphqlAnswer> = {
    '/fhir/Patient': bundle('a', 'http://gateway/demo/fhir/Patient?_cursor=c'),
    'http://gateway/demo/fhir/Patient?_cursor=c': bundle('b'),
  };
  const reader: RowReader = {
    stream: () => Promise.reject(new Error('No stream.')),
    page: (asked) => Promise.resolve(from[String(asked)]),
  };
  const json = from['/fhir/Patient']!;
  const list = listsOf(json.data).find((one) => nameOf(one) === 'Bundle.entry')!;
  const asked = { query: 'GET /fhir/Patient', variables: {} };
  const answer = { asked, status: 200, milliseconds: 1, bytes: 1, text: '', json };
  const file = await readAllRows(reader, { answer, list }, saving());
  expect(await file.text()).toBe('resource.id,Bundle.resourceType\r\na,Bundle\r\nb,Bundle\r\n');
});
