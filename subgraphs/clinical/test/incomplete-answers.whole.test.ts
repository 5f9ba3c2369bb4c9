/** A tenant over a server that cuts, loops and answers nonsense: a list is complete, or an error. */
import type { ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import { FhirServer } from '../sources/fhir-server.ts';
import { FhirServersShared } from '../sources/fhir-server/shared.ts';
import type { LaxBehaviour } from './lax-ehr.ts';
import { laxTenant, idsOf, OBSERVATIONS, pathOf } from './lax-tenant.ts';

const { rest, list, open, ehr, behave } = laxTenant();

describe('a list is complete, or an error', () => {
  const all = OBSERVATIONS.map(({ id }) => id);

  test.each<[what: string, behaviour: Partial<LaxBehaviour>, expected: string[] | string]>([
    ['pages', { cap: 10 }, all],
    ['gives pages under its internal host', { cap: 10, next: 'internal host' }, all],
    ['gives no links, but takes offsets', { cap: 10, next: 'none', offsets: true }, all],
    [
      'gives no links and totals, but takes offsets',
      { cap: 10, next: 'none', offsets: true, total: undefined },
      all,
    ],
    ['gives no totals', { cap: 10, total: undefined }, all],
    ['cuts, and tells the total', { cap: 20, next: 'none' }, 'too_large'],
    ['cuts, and tells the total only when asked', { cap: 20, next: 'none', total: undefined }, 'too_large'],
    [
      'cuts, and has neither totals nor a self link',
      { cap: 20, next: 'none', total: undefined, self: 'none' },
      'too_large',
    ],
    ['says that there are more than it gives', { total: () => 4_251 }, 'too_large'],
    ['says that there are fewer', { total: () => 3 }, all],
    ['says something else than a number', { total: () => 'many' as never }, all],
    ['leads to the same page', { cap: 10, next: 'same page' }, 'bad_gateway'],
    ['leads in a circle', { cap: 10, next: 'circle' }, 'bad_gateway'],
    ['gives the first page under new URLs', { cap: 10, next: 'other url' }, 'bad_gateway'],
    ['leads to another type', { cap: 10, next: 'other type' }, 'bad_gateway'],
    ['leads to another server', { cap: 10, next: 'other server' }, 'bad_gateway'],
    [
      'says that it left something out',
      { issues: [{ severity: 'error', code: 'incomplete' }] },
      'bad_gateway',
    ],
    ['adds a hint', { issues: [{ severity: 'information', code: 'informational' }] }, all],
    ['repeats entries', { page: (entries) => [...entries, ...entries] }, all],
    [
      'repeats the end of a page on the next',
      { cap: 10, page: (entries) => [...entries, { resource: OBSERVATIONS[9] }] },
      all,
    ],
  ])('FG-2 of a server that %s', async (_what, behaviour, expected) => {
    behave(behaviour);
    const found = await list('ObservationList');
    expect(Array.isArray(found) ? found.toSorted() : found).toEqual(expected);
    expect(ehr().requests.length).toBeLessThan(12);
  });

  test('a first page is given although the rest cannot be reached; the next says so', async () => {
    behave({ cap: 20, next: 'none' });
    const first = await rest('Observation?_count=20');
    expect(first).toMatchObject({ status: 200, ids: all.slice(0, 20) });
    const second = await rest(pathOf(first.next!));
    expect(second.status).toBe(413);
    expect(JSON.stringify(second.bundle)).toContain('Search more narrowly');
    expect(await list('ObservationList(_count: 5)')).toEqual(all.slice(0, 5));
  });

  test('a page that the server has forgotten is told to be gone', async () => {
    behave({ cap: 20 });
    const first = await rest('Observation?_count=20');
    behave({ instead: (_, to) => !!to.writeHead(404).end() });
    expect((await rest(pathOf(first.next!))).status).toBe(410);
  });

  test('reads of many ids ask a server that cuts again for the rest', async () => {
    behave({ cap: 20, next: 'none' });
    const record = open('system/*.rs');
    const found = await Promise.all(all.map((id) => record.read('Observation', id)));
    expect(found.map(({ id }) => id)).toEqual(all);
    expect(ehr().requests.length).toBeLessThan(5);
  });
});

describe('answers that are not usable', () => {
  const page = '{"resourceType":"Bundle","entry":[';
  test.each<[what: string, status: number, code: string, instead: LaxBehaviour['instead']]>([
    ['HTML with 200', 502, 'bad_gateway', (_, to) => !!to.end('<html>Sign in')],
    ['invalid JSON', 502, 'bad_gateway', (_, to) => !!to.end(page)],
    ['429', 429, 'too_many_requests', (_, to) => !!to.writeHead(429, { 'retry-after': '7' }).end('{}')],
    ['404 to a search', 501, 'not_implemented', (_, to) => !!to.writeHead(404).end()],
    ['a resource', 502, 'bad_gateway', (_, to) => !!to.end('{"resourceType":"Observation"}')],
    ['null', 502, 'bad_gateway', (_, to) => !!to.end('null')],
    ['1 GB', 502, 'bad_gateway', (_, to) => endless(to)],
  ])('FG-10 %s', async (what, status, code, instead) => {
    behave({ instead: instead });
    const answer = await rest('Observation?status=final');
    expect(answer.status).toBe(status);
    if (what === '429') expect(answer.headers['retry-after']).toBe('7');
    expect(await list('ObservationList')).toBe(code);
  });

  /** Sends a gigabyte as long as somebody reads. */
  function endless(to: ServerResponse): boolean {
    const chunk = Buffer.alloc(1 << 20, ' ');
    let sent = 0;
    const more = (): void => {
      while (sent++ < 1_000) if (!to.write(chunk)) return void to.once('drain', more);
      to.end();
    };
    more();
    return true;
  }

  test('FG-10 a byte at a time is given up', async () => {
    const timers: NodeJS.Timeout[] = [];
    behave({ instead: (_, to) => !!timers.push(setInterval(() => to.write(' '), 20)) });
    const shared = new FhirServersShared();
    const server = new FhirServer({ base: ehr().base, timeout: 100 }, shared);
    const search = server.search('Observation', { params: [], count: 10 });
    await expect(search).rejects.toMatchObject({ code: 'unavailable' });
    timers.forEach(clearInterval);
    shared.close();
  });
});

describe('resources that break the profile', () => {
  const good = OBSERVATIONS[0]!;
  test.each<[what: string, entry: unknown, survives: boolean]>([
    ['null', null, false],
    ['no resource', {}, false],
    ['a resource that is null', { resource: null }, false],
    ['another type', { resource: { ...good, resourceType: 'Condition', id: 'odd' } }, false],
    ['no id', { resource: { ...good, id: undefined } }, false],
    [
      'no id, but a URL',
      { resource: { ...good, id: undefined }, fullUrl: 'http://ehr/fhir/Observation/odd' },
      true,
    ],
    ['an id that is a number', { resource: { ...good, id: 7 } }, false],
    ['an id with a slash', { resource: { ...good, id: '../Patient/bob' } }, false],
    ['a subject that is null', { resource: { ...good, id: 'odd', subject: null } }, true],
    ['a subject that is a text', { resource: { ...good, id: 'odd', subject: 'Patient/ana' } }, true],
    ['a subject with a number', { resource: { ...good, id: 'odd', subject: { reference: 7 } } }, true],
    ['a coding that is null', { resource: { ...good, id: 'odd', code: { coding: [null] } } }, true],
    ['no status', { resource: { ...good, id: 'odd', status: undefined } }, true],
    ['a huge text', { resource: { ...good, id: 'odd', note: [{ text: 'x'.repeat(5_000_000) }] } }, true],
    [
      '10,000 components',
      { resource: { ...good, id: 'odd', component: Array.from({ length: 10_000 }, () => ({ code: {} })) } },
      true,
    ],
  ])('FG-4 %s: the rest of the answer survives', async (_what, entry, survives) => {
    behave({ page: (entries) => [entry, ...entries] });
    behave({ total: undefined });
    const expected = [...(survives ? ['odd'] : []), ...OBSERVATIONS.map(({ id }) => id)];
    expect(await list('ObservationList')).toEqual(expected);
    expect((await rest('Observation?_count=100')).ids).toEqual(expected);
    // For a patient only what is certainly of this patient.
    const ofAna = await list('ObservationList(category: ["laboratory"])', ['ana']);
    expect(ofAna).toEqual(expect.arrayContaining(idsOf((_, i) => i % 2 === 0 && i % 3 !== 2)));
  });
});
