/** An EHR that is busy, away, or wrong: what is told, and which data stay. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALL, ANA, BulkFixture, chunks, COUGH, FLU } from '../test/bulk-ehr.ts';
import type { BulkSettings } from './bulk-record.ts';
import { waitSeconds } from './bulk-server.ts';

const HOUR = 3_600_000;

let of: BulkFixture;
beforeEach(() => {
  of = new BulkFixture();
});
afterEach(() => of.end());

describe('an EHR that is busy', () => {
  const wait = (status: number, seconds: string) => ({ status, headers: { 'retry-after': seconds } });

  it('is asked again when it wants', async () => {
    of.ehr.waits = [wait(202, '1'), wait(503, '1')];
    await of.bulk.refresh();
    expect(of.store.loaded).toEqual(ALL);
  });

  it('is given up after a day', async () => {
    of.ehr.waits = [wait(202, '120')];
    const began = of.ehr.now;
    of.start({ now: () => (of.ehr.asked.at(-1)?.includes('status') ? began + 24 * HOUR + 1 : began) });
    await of.bulk.refresh();
    expect(of.log.join()).toContain('has not ended an export in time');
    expect(of.ehr.asked.at(-1)).toBe('DELETE /status/1');
  });

  it.each<[string | undefined, number, number]>([
    ['5', 0, 5],
    ['0', 0, 1],
    ['86400', 0, 600],
    ['Sun, 01 Nov 2026 00:00:30 GMT', 0, 30],
    ['Sat, 31 Oct 2026 00:00:00 GMT', 0, 1],
    ['soon', 3, 8],
    [undefined, 0, 1],
    [undefined, 20, 600],
  ])('Retry-After: %s after %i questions: %i s', (header, asked, seconds) => {
    expect(waitSeconds(header, Date.parse('2026-11-01T00:00:00Z'), asked)).toBe(seconds);
  });

  it('the manifest may be at another address (303)', async () => {
    of.ehr.instead = ({ url }) =>
      url.endsWith('/$export-status') ? { status: 303, headers: { location: '/fhir/status/1' } } : undefined;
    const begun = of.ehr.send;
    const send: BulkSettings['send'] = async (request, isAuthorized) => {
      const answer = await begun(request, isAuthorized);
      return answer.headers['content-location']
        ? { ...answer, headers: { 'content-location': '$export-status' } }
        : answer;
    };
    of.start({ send });
    await of.bulk.refresh();
    expect(of.log).toEqual([]);
    expect(of.ehr.asked).toContain('GET /status/1');
    expect(of.store.loaded).toEqual(ALL);
  });
});

describe('an export that fails', () => {
  const file = (body: string | (() => AsyncIterable<Uint8Array>), status = 200) => {
    const made = typeof body === 'string' ? () => body : body;
    of.ehr.instead = ({ url }) => (url.endsWith('/file/Condition') ? { status, body: made() } : undefined);
  };
  const cut = async function* (): AsyncGenerator<Uint8Array> {
    yield* chunks(JSON.stringify(FLU));
    throw Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' });
  };
  const two = [FLU, COUGH].map((one) => JSON.stringify(one)).join('\n');
  const failures: [string, () => void, string][] = [
    [
      'a line that is not JSON',
      () => file(`${two}\n{"resourceType":`),
      'file 2 of 2 (Condition): line 3 is not JSON',
    ],
    [
      'a line of another type',
      () => file(`\n${JSON.stringify(ANA)}\n`),
      'line 2 is not a resource of type Condition',
    ],
    ['a number', () => file('5'), 'line 1 is not a resource'],
    ['no id', () => file('{"resourceType":"Condition"}'), 'line 1 has no id'],
    [
      'a file that is cut off between lines',
      () => file(JSON.stringify(FLU)),
      'has 1 resources, and the manifest says 2',
    ],
    ['a connection that ends thrice', () => file(cut), 'other side closed'],
    ['a file that is gone', () => file('', 404), 'a file of the export answered 404'],
    ['an outage', () => (of.ehr.instead = () => ({ status: 503 })), '$export answered 503'],
    [
      'no connection',
      () =>
        (of.ehr.instead = () => {
          throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
        }),
      'ECONNREFUSED',
    ],
    [
      'a refusal',
      () =>
        (of.ehr.instead = () => ({
          status: 403,
          body: '{"resourceType":"OperationOutcome","issue":[{"diagnostics":"no group"}]}',
        })),
      '$export answered 403 (no group)',
    ],
    [
      'an export that failed there',
      () => of.ehr.waits.push({ status: 500 }),
      'the status of the export answered 500',
    ],
    [
      'an export that it forgot',
      () => of.ehr.waits.push({ status: 404 }),
      'the status of the export answered 404',
    ],
    [
      'a manifest that is HTML',
      () => of.ehr.waits.push({ status: 200, body: '<html>' }),
      'a manifest that is not JSON',
    ],
    ['a manifest without its time', () => (of.ehr.manifest = () => ({ output: [] })), 'transactionTime'],
    [
      'a manifest in parts',
      () => (of.ehr.manifest = (made) => ({ ...made, link: [{ relation: 'next' }] })),
      'has other parts',
    ],
    [
      'files without web addresses',
      () =>
        (of.ehr.manifest = (made) => ({ ...made, output: [{ type: 'Patient', url: 'file:///etc/passwd' }] })),
      'output.0.url',
    ],
  ];

  it.each(failures)('%s: the data stay, and the next run begins anew', async (_what, fail, reason) => {
    await of.bulk.refresh();
    of.ehr.now += 7 * 24 * HOUR;
    fail();
    const began = of.bulk.time;
    await of.bulk.refresh();
    expect(of.log).toHaveLength(1);
    expect(of.log[0]).toContain('the data from before are used');
    expect(of.log[0]).toContain(reason);
    expect(of.log[0]).toContain('"dataOf":"2026-11-01T00:00:00.000Z"');
    expect(of.bulk.time).toEqual(began);
    expect(of.store.loaded).toEqual(ALL);
    of.bulk.requireData();
    fail();
    await of.bulk.refresh();
    expect(of.log).toHaveLength(1);
    of.ehr.instead = undefined;
    of.ehr.manifest = undefined;
    of.ehr.waits = [];
    await of.bulk.refresh();
    expect(of.log.at(-1)).toContain('gives its export again');
    expect(of.bulk.time).toEqual(new Date(of.ehr.now));
    expect(of.store.loaded).toEqual(ALL);
  });

  it('a connection that ends once is made again', async () => {
    let isFirst = true;
    of.ehr.instead = ({ url }) => {
      if (!url.endsWith('/file/Condition') || !isFirst) return undefined;
      isFirst = false;
      return { body: cut() };
    };
    await of.bulk.refresh();
    expect(of.log).toEqual([]);
    expect(of.store.loaded).toEqual(ALL);
  });

  it('a wrong file of deletions changes nothing', async () => {
    await of.bulk.refresh();
    of.ehr.now += HOUR;
    of.ehr.output = [{ ...FLU, status: 'resolved' }];
    of.ehr.deleted = ['Condition/cough'];
    of.ehr.instead = ({ url }) =>
      url.endsWith('/deleted') ? { body: '{"resourceType":"Bundle"}\n{"resource' } : undefined;
    await of.bulk.refresh();
    expect(of.log[0]).toContain('deleted: line 2 is not JSON, or is cut off');
    expect(of.store.loaded).toEqual(ALL);
  });

  it('a store that cannot be loaded: the time stays, and it is loaded the next time', async () => {
    await of.bulk.refresh();
    of.ehr.now += HOUR;
    of.store.fails = true;
    await of.bulk.refresh();
    expect(of.bulk.time).toEqual(new Date('2026-11-01T00:00:00Z'));
    of.store.fails = false;
    await of.bulk.refresh();
    expect(of.bulk.time).toEqual(new Date(of.ehr.now));
  });

  it('an EHR without Bulk Data: 501', async () => {
    of.ehr.instead = () => ({ status: 404 });
    await of.bulk.refresh();
    expect(() => of.bulk.requireData()).toThrow(
      expect.objectContaining({
        code: 'not_implemented',
        message: expect.stringContaining('has no export (Bulk Data Access)'),
      }),
    );
    expect(of.log[0]).toContain('there are no tables');
  });

  it('before the first data: 503 that sends to the log', async () => {
    of.ehr.instead = () => ({ status: 403 });
    await of.bulk.refresh();
    expect(() => of.bulk.requireData()).toThrow(
      expect.objectContaining({ code: 'unavailable', message: expect.stringContaining('in the log') }),
    );
  });
});

describe('an export that failed in part, as the EHR says', () => {
  const outcome = (...issue: object[]) => JSON.stringify({ resourceType: 'OperationOutcome', issue });
  const says = (body: string) => {
    of.ehr.errors = ['errors'];
    of.ehr.instead = ({ url }) => (url.endsWith('/file/errors') ? { body } : undefined);
  };
  const failed = { severity: 'error', code: 'exception', diagnostics: 'Condition could not be exported' };
  const warning = outcome({ severity: 'warning', code: 'informational', diagnostics: 'left out' });

  it.each([
    ['everything', 8 * 24 * HOUR],
    ['changes', HOUR],
  ])('of %s: the data and their time stay, and it is asked for again', async (_what, later) => {
    await of.bulk.refresh();
    of.ehr.now += later;
    of.ehr.output = [ANA];
    says(outcome(failed));
    await of.bulk.refresh();
    await of.bulk.refresh();
    expect(of.log).toHaveLength(1);
    expect(of.log[0]).toContain('the data from before are used');
    expect(of.log[0]).toContain('it says of it: Condition could not be exported');
    expect(of.store.loaded).toEqual(ALL);
    expect(of.bulk.time).toEqual(new Date('2026-11-01T00:00:00Z'));
    of.ehr.instead = undefined;
    of.ehr.errors = [];
    of.ehr.output = [ANA, { ...FLU, status: 'resolved' }, COUGH];
    await of.bulk.refresh();
    expect(of.kickOffs).toHaveLength(4);
    expect(of.kickOffs[3]).toBe(of.kickOffs[2]);
    expect(of.store.loaded).toEqual({ ...ALL, 'Condition/flu': 'resolved' });
  });

  it.each([
    ['fatal', outcome({ severity: 'fatal', code: 'not-supported' })],
    ['after many warnings', `${`${warning}\n`.repeat(100)}${outcome(failed)}`],
    ['without a severity', outcome({ diagnostics: 'broken' })],
    ['in JSON over several lines', JSON.stringify(JSON.parse(outcome(failed)), null, 2)],
  ])('%s', async (_what, body) => {
    says(body);
    await of.bulk.refresh();
    expect(of.log).toEqual([expect.stringContaining('the EHR gave no export')]);
    expect(of.store.loaded).toEqual({});
  });

  it('also where the manifest names them as version 4 does', async () => {
    says(outcome(failed));
    of.ehr.manifest = ({ error, ...made }) => ({
      ...made,
      outcome: (error as { url: string }[]).map(({ url }) => ({ url })),
    });
    await of.bulk.refresh();
    expect(of.log.join()).toContain('Condition could not be exported');
    expect(of.store.loaded).toEqual({});
  });

  it.each([
    [
      'warnings and information',
      `${warning}\n${outcome({ severity: 'information', code: 'informational' })}`,
      2,
    ],
    [
      'what it does not support',
      outcome({ severity: 'error', code: 'not-supported', diagnostics: '_type' }),
      1,
    ],
    ['a file that is not NDJSON', '<html>\n</html>', 1],
    ['another resource', JSON.stringify(ANA), 0],
  ])('%s do not count', async (_what, body, told) => {
    says(body);
    await of.bulk.refresh();
    expect(of.log).toHaveLength(told);
    expect(of.log.join()).not.toContain('gave no export');
    expect(of.log.join()).not.toContain('html');
    expect(of.store.loaded).toEqual(ALL);
  });
});
