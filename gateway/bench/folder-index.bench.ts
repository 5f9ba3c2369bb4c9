/** Time to index a folder, and the memory that a large one takes (DW-17). */
import { mkdtemp, rm } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { median, type Figure } from './measure.ts';
import { writeCtFiles } from './data/ct-files.ts';

const run = promisify(execFile);

/** Report of the child process about one index run. */
interface Report {
  seconds: number;
  maxRssMegabytes: number;
  instances: number;
  /** Milliseconds of a search for one patient's studies, and the longest pause of the event loop. */
  search: number;
  longestPause: number;
}

export async function bench(): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'folder-index-'));
  try {
    const small = join(directory, 'small');
    await writeCtFiles(small, 10_000);
    const rounds: Report[] = [];
    for (let round = 0; round < 4; round++)
      rounds.push(await index(small, join(directory, `small-${round}.sqlite`)));
    // The first run brings the headers into the page cache.
    const warm = rounds.slice(1).map(({ seconds }) => 10_000 / seconds);
    const again = await index(small, join(directory, 'small-1.sqlite'));

    const large = join(directory, 'large');
    await writeCtFiles(large, 100_000);
    // A first run brings the headers into the page cache and the new files onto the disk.
    await index(large, join(directory, 'large-cold.sqlite'));
    const report = await index(large, join(directory, 'large.sqlite'));
    if (report.instances !== 100_000)
      throw new Error(`${report.instances} of 100,000 instances were indexed.`);
    return [
      { what: 'folder index, new', value: median(warm), unit: 'files/s', atLeast: 2000 },
      { what: 'folder index, nothing changed', value: 10_000 / again.seconds, unit: 'files/s' },
      {
        what: 'folder index, 100,000 files',
        value: 100_000 / report.seconds,
        unit: 'files/s',
        atLeast: 2000,
      },
      { what: '… memory at its highest', value: report.maxRssMegabytes, unit: 'MB', atMost: 250 },
      { what: '… longest pause of the event loop', value: report.longestPause, unit: 'ms' },
      { what: '… then a search by PatientID', value: report.search, unit: 'ms' },
    ];
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Runs once in a separate process, so that its memory can be measured alone. */
async function index(path: string, indexFile: string): Promise<Report> {
  const child = join(import.meta.dirname, 'folder-index.child.ts');
  const { stdout } = await run(process.execPath, ['--import', 'tsx', child, path, indexFile]);
  return JSON.parse(stdout) as Report;
}
