import { createHash } from 'node:crypto';
import { mkdir, open, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Fault } from '../../../schema/fault/fault.ts';
import type { SqlAnswer } from '../sql/queries.ts';
import type { SqlFormat } from '../sql/query.ts';
import type { Catalogue } from './catalogue.ts';
import type { JobFile, JobOutput } from './jobs.ts';
import type { Question } from './question.ts';
import type { OpenedTables } from './workplace.ts';

/** Folders of a table that is partitioned, by the hash of the patient; and bytes of a database from which it is. */
const BUCKETS = 64;
const LARGE = 2 ** 30;
/** Milliseconds until a question is put again that the limits of queries have refused. */
const AGAIN = 2_000;

export interface ExportPlan {
  tables: OpenedTables;
  /** By the name of the output. */
  questions: ReadonlyMap<string, Question>;
  catalogue: Catalogue;
  format: SqlFormat;
  header: boolean;
  /** Files in Hive folders, with a `manifest.json` for other engines. */
  isPartitioned: boolean;
  /** @param limit rows; 0 only checks the statement */
  answer(question: Question, limit: number | undefined, signal: AbortSignal): Promise<SqlAnswer>;
}

interface Written {
  files: readonly JobFile[];
  /** Tables that were read. */
  read: readonly string[];
  rows: number;
}

/** A file with what the manifest for other engines says of it. */
type WrittenFile = JobFile & { sha256: string };

/** Writes the answers of all questions. @throws Fault of the first that fails */
export async function exportFiles(
  plan: ExportPlan,
  work: { output: JobOutput; signal: AbortSignal; onProgress: (done: number) => void },
): Promise<Written> {
  const run = new ExportRun(plan, work.output, work.signal);
  let done = 0;
  for (const [name, question] of plan.questions) {
    if (plan.isPartitioned) await run.partitioned(name, question);
    else await run.write(name, question, fileOf(name, plan.format, done));
    work.onProgress(++done / plan.questions.size);
  }
  if (plan.isPartitioned) await run.describe();
  const rows = run.files.reduce((sum, { count }) => sum + count, 0);
  return { files: run.files, read: [...run.read].sort(), rows };
}

/** Names of outputs may be any text; those that cannot be names of files give them their number. */
const fileOf = (name: string, format: SqlFormat, index: number): string =>
  `${/^[A-Za-z][\w-]{0,63}$/.test(name) ? name : index + 1}.${format}`;

class ExportRun {
  readonly files: WrittenFile[] = [];
  readonly read = new Set<string>();
  readonly #plan: ExportPlan;
  readonly #output: JobOutput;
  readonly #signal: AbortSignal;

  constructor(plan: ExportPlan, output: JobOutput, signal: AbortSignal) {
    this.#plan = plan;
    this.#output = output;
    this.#signal = signal;
  }

  /** Writes the answer of a question as one file. @param type the output that it is of */
  async write(type: string, question: Question, name: string): Promise<WrittenFile> {
    const answer = await this.#answer(question);
    const path = join(this.#output.folder, name);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const handle = await open(path, 'wx', 0o600);
    const hash = createHash('sha256');
    let bytes = 0;
    try {
      for await (const piece of answer.body as AsyncIterable<Buffer>) {
        this.#output.takeRoom(piece.length);
        hash.update(piece);
        await handle.appendFile(piece);
        bytes += piece.length;
      }
      // A manifest must not outlive a power failure that its files do not.
      await handle.sync();
    } finally {
      answer.body.destroy();
      await handle.close();
    }
    const { rows, fault } = await answer.ended;
    if (fault) throw fault;
    for (const table of answer.tables) this.read.add(table);
    const file = { name, type, count: rows, bytes, sha256: hash.digest('hex') };
    this.files.push(file);
    return file;
  }

  /** Writes a table into folders `bucket=NN`, so that other engines read only those that they need. */
  async partitioned(name: string, question: Question): Promise<void> {
    const { catalogue, tables } = this.#plan;
    const { size } = await stat(tables.file);
    const hasPatient = catalogue.columns.get(question.table!)!.some((column) => column.name === 'patient_id');
    const buckets = size < LARGE || !hasPatient ? 1 : BUCKETS;
    for (let bucket = 0; bucket < buckets; bucket++) {
      const where = buckets === 1 ? '' : ` WHERE hash(patient_id) % ${buckets} = ${bucket}`;
      const part = { ...question, sql: `${question.sql}${where}` };
      const folder = `${question.table}/bucket=${String(bucket).padStart(2, '0')}`;
      const file = await this.write(name, part, `${folder}/part-0.parquet`);
      if (file.count > 0 || bucket === 0) continue;
      this.files.pop();
      await rm(join(this.#output.folder, folder), { recursive: true });
    }
  }

  /** Writes what other engines have to know of the tables. */
  async describe(): Promise<void> {
    const { questions, catalogue, tables } = this.#plan;
    const described = [...questions].map(([output, { table }]) => {
      const files = this.files.filter(({ type }) => type === output);
      const sum = (of: (file: WrittenFile) => number) => files.reduce((all, file) => all + of(file), 0);
      return {
        name: table,
        viewDefinition: catalogue.view(table!),
        schema: catalogue.columns.get(table!),
        rows: sum(({ count }) => count),
        bytes: sum(({ bytes }) => bytes),
        files: files.map(({ name: path, count: rows, bytes, sha256 }) => ({ path, rows, bytes, sha256 })),
      };
    });
    const text = JSON.stringify({ version: 1, time: tables.time.toISOString(), tables: described }, null, 2);
    const name = 'manifest.json';
    const bytes = Buffer.byteLength(text);
    this.#output.takeRoom(bytes);
    const handle = await open(join(this.#output.folder, name), 'wx', 0o600);
    await handle.writeFile(text);
    await handle.sync();
    await handle.close();
    this.files.push({ name, type: '', count: 0, bytes, sha256: '' });
  }

  /** Puts a question, again and again while too many others are answered. */
  async #answer(question: Question): Promise<SqlAnswer> {
    for (;;) {
      try {
        return await this.#plan.answer(question, undefined, this.#signal);
      } catch (error) {
        if (!(error instanceof Fault) || error.code !== 'too_many_requests') throw error;
        await delay(AGAIN, undefined, { signal: this.#signal });
      }
    }
  }
}
