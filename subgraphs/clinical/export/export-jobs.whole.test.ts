/** How exports end: finished, cancelled, expired, failed, stopped. */
import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Fault } from '../../../schema/fault/fault.ts';
import { ExportJobs } from './export-jobs.ts';
import { at, ExportFixture, LIMITS } from '../test/export-fixture.ts';

let fixture: ExportFixture;
beforeAll(async () => {
  fixture = await ExportFixture.start();
});
afterAll(() => fixture.end());
beforeEach(() => fixture.nextClient());

const HOUR = 3_600_000;
const WAIT = { timeout: 15_000 };

describe('how it ends', () => {
  beforeEach(async () => {
    await fixture.stop();
    await rm(fixture.folder, { recursive: true, force: true });
    await fixture.restart();
  });
  const folders = () => readdir(fixture.folder).catch(() => []);

  /** Makes images wait, so that exports keep running. @returns lets them go on */
  function hold(): () => void {
    let go = (): void => {};
    fixture.images.wait = new Promise<void>((done) => (go = done));
    return go;
  }

  it('reports progress while it runs, and is cancelled by DELETE', async () => {
    const go = hold();
    const begun = await fixture.kickOff();
    const status = at(String(begun.headers['content-location']));
    const running = await fixture.app.inject(status);
    expect(running.statusCode).toBe(202);
    expect(running.headers['x-progress']).toMatch(/^\d+ %$/);
    expect(Number(running.headers['retry-after'])).toBeGreaterThan(0);
    expect((await fixture.app.inject({ method: 'DELETE', url: status })).statusCode).toBe(202);
    expect((await fixture.app.inject(status)).statusCode).toBe(404);
    go();
    await vi.waitFor(async () => expect(await folders()).toEqual([]), WAIT);
  });

  it('too many exports of a client, and of all, are refused with Retry-After', async () => {
    const go = hold();
    const by = async (name: string) => {
      fixture.access = fixture.client('system/*.rs', ['ana'], name);
      const { statusCode, headers } = await fixture.kickOff();
      return statusCode === 429 ? [429, headers['retry-after']] : statusCode;
    };
    expect([await by('a'), await by('a'), await by('a')]).toEqual([202, 202, [429, '60']]);
    expect([await by('b'), await by('c')]).toEqual([202, [429, '60']]);
    go();
    await vi.waitFor(async () => expect(await by('c')).toBe(202), WAIT);
  });

  it('expires: its status, its files and its folder are gone', async () => {
    const { status, manifest } = await fixture.exported('/Patient/$export?_type=Patient');
    fixture.now += HOUR;
    expect((await fixture.app.inject(status)).statusCode).toBe(404);
    expect((await fixture.app.inject(at(manifest.output[0]!.url))).statusCode).toBe(404);
    await fixture.restart();
    await vi.waitFor(async () => expect(await folders()).toEqual([]), WAIT);
  });

  it('a finished export is there after a restart', async () => {
    const { status, manifest } = await fixture.exported('/Patient/$export?_type=Patient');
    await fixture.restart();
    expect((await fixture.app.inject(status)).json()).toEqual(manifest);
    expect(await fixture.contents(manifest)).toEqual(['Patient/ana', 'Patient/bob']);
  });

  it('one that ran has failed after the server was stopped, and after a crash', async () => {
    const go = hold();
    const stopped = at(String((await fixture.kickOff()).headers['content-location']));
    const restarted = fixture.restart();
    go();
    await restarted;
    const answer = await fixture.app.inject(stopped);
    expect(answer.statusCode).toBe(500);
    expect(answer.body).toContain('Start the export again');

    const { status } = await fixture.exported('/Patient/$export?_type=Patient');
    const description = join(fixture.folder, status.split('/').at(-1)!, 'export.json');
    const job = JSON.parse(await readFile(description, 'utf8')) as object;
    await writeFile(description, JSON.stringify({ ...job, state: 'running', files: [], expires: undefined }));
    await fixture.restart();
    expect((await fixture.app.inject(status)).statusCode).toBe(500);
    expect((await fixture.app.inject(`${status.replace('status', 'file')}/Patient.ndjson`)).statusCode).toBe(
      404,
    );
  });

  it('a source that fails ends it, and no file stays', async () => {
    fixture.images.failed = [new Fault('unavailable', 'An image source did not answer.')];
    const { status, answer } = await fixture.exported();
    expect(answer.statusCode).toBe(500);
    expect(answer.json()).toMatchObject({
      issue: [{ diagnostics: 'The export failed: ImagingStudy: An image source did not answer.' }],
    });
    expect(fixture.audited).toMatchObject([{ outcome: { kind: 'failed', code: 'unavailable' } }]);
    const job = join(fixture.folder, status.split('/').at(-1)!);
    expect(await readdir(job)).toEqual(['export.json']);
  });

  it('files larger than the room for them end it', async () => {
    await fixture.restart({ ...LIMITS, bytes: 1000 });
    const { answer } = await fixture.exported();
    expect(answer.statusCode).toBe(500);
    expect(answer.body).toContain('no room');
    // What has failed takes no room.
    expect((await fixture.kickOff()).statusCode).toBe(202);
  });

  it('files of SQL have half of the room, so that others have the rest', async () => {
    const folder = join(fixture.folder, '../of-sql');
    const jobs = new ExportJobs({ folder, limits: { ...LIMITS, bytes: 1000 }, now: () => fixture.now });
    const access = fixture.client('system/*.rs', ['ana'], 'sql');
    const states: unknown[] = [];
    for (const [kind, bytes] of [
      ['sql-export', 501],
      ['sql-export', 500],
      ['export', 501],
      ['export', 500],
    ] as const) {
      const described = { kind, request: '/', reach: { patients: [{ id: 'ana' }], types: [] } } as const;
      const id = await jobs.start(access, described, async ({ takeRoom }) => {
        takeRoom(bytes);
        return [{ name: 'rows', type: 'rows', count: 1, bytes }];
      });
      const ended = async () => expect((await jobs.find(access, id, kind)).running).toBeUndefined();
      await vi.waitFor(ended, WAIT);
      states.push((await jobs.find(access, id, kind)).state);
    }
    expect(states).toEqual(['failed', 'complete', 'failed', 'complete']);
    await jobs.close();
    await rm(folder, { recursive: true });
  });

  it('a file that is not as it was written is not given out', async () => {
    const { status, manifest } = await fixture.exported('/Patient/$export?_type=Patient');
    await truncate(join(fixture.folder, status.split('/').at(-1)!, 'Patient.ndjson'), 10);
    expect((await fixture.app.inject(at(manifest.output[0]!.url))).statusCode).toBe(500);
  });
});
