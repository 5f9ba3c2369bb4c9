import { copyFileSync, existsSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ALL, ANA, BASE, BulkFixture, chunks, COUGH, ehrTenant, FLU, TestStore } from '../test/bulk-ehr.ts';

const HOUR = 3_600_000;

let of: BulkFixture;
beforeEach(() => {
  of = new BulkFixture();
});
afterEach(() => of.end());

describe('data', () => {
  it('are fetched whole at first, for the types that tables need, and are of the time that the EHR says', async () => {
    of.ehr.output.push({ resourceType: 'Binary', id: 'letter' });
    expect(() => of.bulk.requireData()).toThrow(expect.objectContaining({ code: 'unavailable' }));
    await of.bulk.refresh();
    expect(of.log).toEqual([]);
    expect(of.store.loaded).toEqual(ALL);
    expect(of.bulk.time).toEqual(new Date('2026-11-01T00:00:00Z'));
    of.bulk.requireData();
    expect(of.ehr.asked).toEqual([
      'GET /Patient/$export?_type=Patient%2CCondition',
      'GET /status/1',
      'GET /file/Patient',
      'GET /file/Condition',
      'DELETE /status/1',
    ]);
    expect(statSync(of.folder).mode & 0o777).toBe(0o700);
    expect(of.bulk.record.clinical).toEqual({ type: 'store', path: join(of.folder, 'record') });
  });

  it('are then what has changed and what was deleted since, and all after a week', async () => {
    await of.bulk.refresh();
    of.ehr.now += HOUR;
    of.ehr.output = [{ ...FLU, status: 'resolved' }];
    of.ehr.deleted = ['Condition/cough', 'Condition/never-seen', 'Binary/letter'];
    await of.bulk.refresh();
    const resolved = { 'Patient/ana': undefined, 'Condition/flu': 'resolved' };
    expect(of.store.loaded).toEqual(resolved);
    expect(of.kickOffs.at(-1)).toContain('&_since=2026-11-01T00%3A00%3A00.000Z');
    of.ehr.now += HOUR;
    [of.ehr.output, of.ehr.deleted] = [[COUGH], []];
    await of.bulk.refresh();
    expect(of.store.loaded).toEqual({ ...resolved, 'Condition/cough': 'active' });
    expect(of.kickOffs.at(-1)).toContain('&_since=2026-11-01T01%3A00%3A00.000Z');
    of.ehr.now += 7 * 24 * HOUR;
    of.ehr.output = [ANA];
    await of.bulk.refresh();
    expect(of.kickOffs.at(-1)).not.toContain('_since');
    expect(of.store.loaded).toEqual({ 'Patient/ana': undefined });
    expect(of.log).toEqual([]);
  });

  it('stay where a resource of another server was deleted, or none that can be found', async () => {
    await of.bulk.refresh();
    of.ehr.now += HOUR;
    of.ehr.output = [{ ...FLU, status: 'resolved' }];
    of.ehr.deleted = [
      'https://other.example.org/fhir/Condition/flu',
      'Condition?code=1',
      `${BASE}/Condition/cough`,
    ];
    await of.bulk.refresh();
    expect(of.store.loaded).toEqual({ 'Patient/ana': undefined, 'Condition/flu': 'resolved' });
    expect(of.log).toEqual([expect.stringMatching(/deleted .*"entries":2/)]);
  });

  it.each([
    ['to come', '2099-01-01T00:00:00Z', '2026-11-01T00:00:00.000Z'],
    ['of long ago', '2001-01-01T00:00:00Z', '2001-01-01T00:00:00Z'],
  ])('of a time %s are of no later one than that of our question', async (_what, transactionTime, since) => {
    of.ehr.manifest = (made) => ({ ...made, transactionTime });
    await of.bulk.refresh();
    expect(of.bulk.time).toEqual(new Date(since));
    of.ehr.now += HOUR;
    await of.bulk.refresh();
    expect(of.kickOffs.at(-1)).toContain(`&_since=${encodeURIComponent(since)}`);
  });

  it('stay the same files when nothing has changed, with a later time', async () => {
    await of.bulk.refresh();
    const files = () => readdirSync(join(of.folder, 'record'), { recursive: true }).sort();
    const before = files();
    of.ehr.now += HOUR;
    of.ehr.output = [];
    await of.bulk.refresh();
    expect(files()).toEqual(before);
    expect(of.bulk.time).toEqual(new Date(of.ehr.now));
    of.ehr.now += HOUR;
    await of.bulk.refresh();
    expect(of.kickOffs.at(-1)).toContain('&_since=2026-11-01T01%3A00%3A00.000Z');
  });

  it('are fetched whole when the tables need another type', async () => {
    await of.bulk.refresh();
    await of.bulk.close();
    of.start({ types: ['Condition', 'Encounter', 'Patient'] });
    await of.bulk.refresh();
    expect(of.kickOffs.at(-1)).toBe('GET /Patient/$export?_type=Condition%2CEncounter%2CPatient');
  });

  it('of another EHR or Group are not used', async () => {
    await of.bulk.refresh();
    await of.bulk.close();
    of.start({ group: 'cohort 1' });
    await of.bulk.refresh();
    expect(of.ehr.asked).toContain('GET /Group/cohort%201/$export?_type=Patient%2CCondition');
    expect(of.bulk.time).toBeUndefined();
    expect(existsSync(join(of.folder, 'record'))).toBe(false);
  });

  it('are gone with their tenant', async () => {
    await of.bulk.refresh();
    await of.bulk.remove();
    expect(existsSync(of.folder)).toBe(false);
    expect(of.store.discarded).toBe(1);
  });
});

describe('files', () => {
  it('of errors are told in the log', async () => {
    of.ehr.errors = ['Practitioner is left out', 'x'.repeat(1000)];
    await of.bulk.refresh();
    expect(of.log).toEqual([
      `the EHR says of its export ${JSON.stringify({ tenant: 'clinic', severity: 'warning', text: 'Practitioner is left out' })}`,
      expect.stringMatching(/x{200}…"/),
    ]);
    expect(of.store.loaded).toEqual(ALL);
  });

  it('that need no token get none', async () => {
    of.ehr.manifest = (made) => ({ ...made, requiresAccessToken: false });
    await of.bulk.refresh();
    expect(of.ehr.asked).toContain('!GET /file/Condition');
    expect(of.ehr.asked).toContain('GET /status/1');
  });

  it('refer to other resources of the EHR as its searches do here', async () => {
    const references = [`${BASE}/Patient/ana`, 'https://other.example.org/fhir/Patient/ana'];
    of.ehr.output = references.map((reference, at) => ({ ...FLU, id: `c${at}`, subject: { reference } }));
    await of.bulk.refresh();
    const text = readFileSync(join(of.folder, 'record', '000000001', 'Condition.0.ndjson'), 'utf8');
    const lines = text.trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { subject: object }).subject)).toEqual([
      { reference: 'Patient/ana' },
      { reference: references[1] },
    ]);
  });

  it('may begin with a byte order mark', async () => {
    const [first, second] = [FLU, COUGH].map((one) => JSON.stringify(one));
    of.ehr.instead = ({ url }) =>
      url.endsWith('/file/Condition') ? { body: `\ufeff${first}\n${second}\n` } : undefined;
    await of.bulk.refresh();
    expect(of.log).toEqual([]);
    expect(of.store.loaded).toEqual(ALL);
  });

  it('of a resource larger than a chunk, and of Windows, are read', async () => {
    const large = { ...FLU, note: [{ text: 'ä'.repeat(100_000) }] };
    of.ehr.output = [ANA, large];
    of.ehr.instead = ({ url }) =>
      url.endsWith('/file/Condition')
        ? { body: chunks(`${JSON.stringify(large)}\r\n\r\n`, 4099) }
        : undefined;
    await of.bulk.refresh();
    expect(of.store.loaded).toEqual({ 'Patient/ana': undefined, 'Condition/flu': 'active' });
  });
});

describe('a restart', () => {
  /** Stops the client when it asks for a file. */
  async function stopAt(name: string): Promise<void> {
    of.ehr.instead = ({ url, signal }) => {
      if (!url.endsWith(name)) return undefined;
      void of.bulk.close();
      signal.throwIfAborted();
      return undefined;
    };
    await of.bulk.refresh();
    await of.bulk.close();
    of.ehr.instead = undefined;
  }

  it.each(['/status/1', '/file/Condition'])(
    'in the middle (%s) goes on with the export of the EHR',
    async (name) => {
      await stopAt(name);
      expect(of.store.loaded).toEqual({});
      of.start();
      await of.bulk.refresh();
      expect(of.log).toEqual([]);
      expect(of.store.loaded).toEqual(ALL);
      expect(of.kickOffs).toHaveLength(1);
    },
  );

  it('uses the data at once, and asks the EHR when it is time', async () => {
    await of.bulk.refresh();
    await of.bulk.close();
    of.store = new TestStore();
    of.start();
    of.bulk.begin();
    await vi.waitFor(() => expect(of.bulk.time).toBeDefined());
    expect(of.store.loaded).toEqual(ALL);
    await of.bulk.close();
    expect(of.kickOffs).toHaveLength(1);
    of.ehr.now += HOUR;
    of.start();
    of.bulk.begin();
    await vi.waitFor(() => expect(of.bulk.time).toEqual(new Date(of.ehr.now)));
    expect(of.kickOffs).toHaveLength(2);
  });

  it('between two renames uses the new data', async () => {
    await of.bulk.refresh();
    await of.bulk.close();
    renameSync(join(of.folder, 'record'), join(of.folder, 'next'));
    of.start();
    of.ehr.now += HOUR;
    of.ehr.output = [];
    await of.bulk.refresh();
    expect(of.store.loaded).toEqual(ALL);
    expect(of.kickOffs.at(-1)).toContain('_since');
  });

  it('does not use an export of changes since a time before that of the data', async () => {
    await of.bulk.refresh();
    of.ehr.now += HOUR;
    await stopAt('/status/1');
    const [pending, kept] = [join(of.folder, 'pending.json'), join(of.folder, '..', 'kept')];
    copyFileSync(pending, kept);
    of.start();
    await of.bulk.refresh();
    await of.bulk.close();
    copyFileSync(kept, pending);
    of.ehr.now += HOUR;
    of.start();
    await of.bulk.refresh();
    expect(of.kickOffs).toHaveLength(3);
    expect(of.kickOffs.at(-1)).toContain('&_since=2026-11-01T01%3A00%3A00.000Z');
  });
});

it('the base of the EHR is that of the record', () => {
  expect(ehrTenant().clinical).toMatchObject({ type: 'fhir', baseUrl: BASE });
});
