/** Runs in the threads of `QueryThreads`: opens databases and answers questions. It knows no FHIR. */
import type Sqlite from 'better-sqlite3';
import {
  LONG,
  newestOfIn,
  type Answer,
  type DatabaseVersion,
  type Question,
  type StoreFacts,
} from './question.ts';
import { lastOfPage, withoutTooOld, type FoundOfPage } from './newest.ts';
import { PlanRunner, type Found } from './run-plan.ts';
import { Database } from '../../../../schema/process/sqlite.ts';

interface Opened {
  db: Sqlite.Database;
  facts: StoreFacts;
  runner: PlanRunner;
}

/** Databases by file. There is one for each tenant. */
const databases = new Map<string, Opened>();

/** Characters of the answers of one message: they are parsed in one turn of the event loop. */
const MOST_TEXT = 300_000;
/** Milliseconds after which no further question of a message is answered: the answers before it wait. */
const LONGEST = 5;

/** Answers the questions of a message. Questions that would keep the others waiting are refused as `long`. */
export function answer(questions: readonly Question[]): Answer[] {
  const limits = new Limits();
  const answers = new Map<Question, Answer>();
  for (const together of byPage(questions)) {
    for (const [at, found] of answersTo(together, limits).entries()) answers.set(together[at]!, found);
  }
  return questions.map((question) => answers.get(question)!);
}

/** Limits of the answers of one message. */
class Limits {
  readonly #began = performance.now();
  #questions = 0;
  #length = 0;

  /** Returns true if there is time for one more question. The first one always has it. */
  haveTime(): boolean {
    return this.#questions++ === 0 || performance.now() - this.#began <= LONGEST;
  }

  /** Returns true if these texts are few enough. The first ones always are. */
  allow(texts: readonly string[]): boolean {
    const size = texts.reduce((sum, text) => sum + text.length, 0);
    if (this.#length > 0 && this.#length + size > MOST_TEXT) return false;
    this.#length += size;
    return true;
  }
}

/** Groups the questions of each page; any other question is alone. */
function byPage(questions: readonly Question[]): Question[][] {
  const groups = new Map<unknown, Question[]>();
  for (const question of questions) {
    const newestOf = newestOfIn(question);
    const { file, generation } = question.database;
    const key = newestOf ? `${newestOf.page} ${generation} ${file}` : question;
    groups.set(key, [...(groups.get(key) ?? []), question]);
  }
  return [...groups.values()];
}

/** Answers the questions of one page, or one question. */
function answersTo(questions: readonly Question[], limits: Limits): Answer[] {
  const opened = openedAs(questions[0]!.database);
  if (!opened) return questions.map(() => ({ refused: 'replaced' }));
  // Without a transaction, SQLite would lock the file for each of the many statements.
  return opened.db.transaction(() => answersFrom(opened, questions, limits))();
}

function answersFrom(opened: Opened, questions: readonly Question[], limits: Limits): Answer[] {
  return foundIn(opened, questions, limits).map((found, at) => {
    const whole = isPage(found) ? opened.runner.page(found, columnOf(questions[at]!)) : found;
    return 'texts' in whole && !limits.allow(whole.texts) ? LONG : whole;
  });
}

const columnOf = (question: Question) => (question.ask === 'search' && question.page.onlyIds ? 'id' : 'json');

/** Finds the rows of the searches of one page, or of one question. Those that count show what is too old for the page. */
function foundIn(opened: Opened, questions: readonly Question[], limits: Limits): (Answer | Found)[] {
  const find = (question: Question, since?: number): Answer | Found =>
    limits.haveTime() ? findIn(opened, question, since) : LONG;
  const counted = new Map<Question, Answer | Found>();
  const ofPage: FoundOfPage[] = [];
  for (const question of questions) {
    const newestOf = newestOfIn(question);
    if (!newestOf?.counts) continue;
    const found = find(question);
    counted.set(question, found);
    if (isPage(found)) ofPage.push({ found, newestOf });
  }
  const last = lastOfPage(ofPage);
  return questions.map((question) => {
    const { margin = Infinity } = newestOfIn(question) ?? {};
    const oldest = last === undefined ? -Infinity : last - margin;
    const found = counted.get(question) ?? find(question, oldest);
    return isPage(found) && oldest > -Infinity ? withoutTooOld(found, oldest) : found;
  });
}

/** Returns true for the rows of a search, whose texts are still to be read. */
const isPage = (found: Answer | Found): found is Found => 'rows' in found && !('others' in found);

/** Answers a question; of a search it finds the rows. @param since as that of `PlanRunner.find` */
function findIn({ db, facts, runner }: Opened, question: Question, since?: number): Answer | Found {
  switch (question.ask) {
    case 'facts':
      return facts;
    case 'read': {
      const text = db.prepare<[string, string], string>(
        'SELECT json FROM resource WHERE type = ? AND id = ?',
      );
      const found = question.ids.map((id) => text.pluck().get(question.type, id));
      return { texts: found.filter((json) => json !== undefined) };
    }
    case 'facets':
      return runner.facets(question.plan, question.limit);
    case 'search':
      return runner.find(question.plan, question.page, since);
  }
}

/** Returns the database with this content; it is opened again when the file may have been replaced. */
function openedAs({ file, generation }: DatabaseVersion): Opened | undefined {
  const known = databases.get(file);
  if (known && generation !== undefined && known.facts.generation === generation) return known;
  known?.db.close();
  databases.delete(file);
  const opened = open(file);
  databases.set(file, opened);
  return generation === undefined || opened.facts.generation === generation ? opened : undefined;
}

function open(file: string): Opened {
  const db = new Database(file, { readonly: true, fileMustExist: true });
  db.pragma('cache_size = -4000');
  return { db, facts: factsOf(db), runner: new PlanRunner(db) };
}

function factsOf(db: Sqlite.Database): StoreFacts {
  const value = db.prepare<[string], string>('SELECT value FROM fingerprint WHERE name = ?').pluck();
  return {
    generation: value.get('content')!.slice(0, 12),
    schema: value.get('schema')!,
    params: db.prepare('SELECT param, type, code, valued FROM param').all() as StoreFacts['params'],
    counts: JSON.parse(value.get('counts')!) as Record<string, number>,
  };
}
