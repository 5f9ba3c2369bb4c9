/** Runs in the threads of `QueryThreads`: opens databases and answers questions. It knows no FHIR. */
import Database from 'better-sqlite3';
import { LONG, type Answer, type DatabaseVersion, type Question, type StoreFacts } from './question.ts';
import { PlanRunner } from './run-plan.ts';

interface Opened {
  db: Database.Database;
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
  const began = performance.now();
  let length = 0;
  return questions.map((question) => {
    if (performance.now() - began > LONGEST) return LONG;
    const found = answerTo(question);
    if (!('texts' in found)) return found;
    const size = found.texts.reduce((sum, text) => sum + text.length, 0);
    if (length > 0 && length + size > MOST_TEXT) return LONG;
    length += size;
    return found;
  });
}

function answerTo(question: Question): Answer {
  const opened = openedAs(question.database);
  // Without a transaction, SQLite would lock the file for each of the many statements.
  return opened ? opened.db.transaction(() => answerFrom(opened, question))() : { refused: 'replaced' };
}

function answerFrom({ db, facts, runner }: Opened, question: Question): Answer {
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
    case 'search':
      return runner.page(question.plan, question.page);
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

function factsOf(db: Database.Database): StoreFacts {
  const value = db.prepare<[string], string>('SELECT value FROM fingerprint WHERE name = ?').pluck();
  return {
    generation: value.get('content')!.slice(0, 12),
    schema: value.get('schema')!,
    params: db.prepare('SELECT param, type, code, valued FROM param').all() as StoreFacts['params'],
    counts: JSON.parse(value.get('counts')!) as Record<string, number>,
  };
}
