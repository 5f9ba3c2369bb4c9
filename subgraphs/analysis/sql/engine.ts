import { DuckDBInstance, ResultReturnType, type DuckDBConnection, type DuckDBResult } from '@duckdb/node-api';
import { bindValues, checkParameters } from './bound-values.ts';
import { isUsableAfter, LateError, toldOf } from './engine-error.ts';
import { QueryError, SENTENCES } from './finding.ts';
import { distinctNames, ROW_FORMATS, type Column, type Output, type Rows } from './formats.ts';
import { engineParameters } from './named-parameters.ts';
import { writeParquet } from './parquet.ts';
import type { NamedView, ProcessSettings, SqlQuestion } from './query.ts';
import { checkStatement, type Parsed, type Statement } from './statement.ts';

/** Characters that are written at once. */
const PIECE = 2 ** 16;

/** The name of the reach in the engine: the only one that a statement could find out. */
const NAME = 'reach';

/** The names that a statement may have for tables, and the tables of the reach that they mean. */
class Names {
  /** In lower case. */
  readonly tables: Set<string>;
  readonly closed: Readonly<Record<string, string>>;
  readonly #meant = new Map<string, readonly string[]>();

  constructor({ tables, closed = {} }: Pick<SqlQuestion, 'tables' | 'closed'>) {
    this.tables = new Set(tables.map((name) => name.toLowerCase()));
    this.closed = closed;
  }

  /** @param tables names that stand for the new one */
  add(name: string, tables: readonly string[]): void {
    this.#meant.set(name.toLowerCase(), this.tablesOf(tables));
    this.tables.add(name.toLowerCase());
  }

  tablesOf(names: readonly string[]): string[] {
    return [...new Set(names.flatMap((name) => this.#meant.get(name.toLowerCase()) ?? [name]))].sort();
  }
}

/** An engine that can read the tables of one reach and nothing else. */
export class Engine {
  readonly #settings: ProcessSettings;
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;
  readonly #parser: DuckDBConnection;

  constructor(settings: ProcessSettings, instance: DuckDBInstance, connections: readonly DuckDBConnection[]) {
    [this.#settings, this.#instance] = [settings, instance];
    [this.#connection, this.#parser] = connections as [DuckDBConnection, DuckDBConnection];
  }

  /** Opens a reach, and then locks the engine. @throws QueryError `unavailable` when the file cannot be opened */
  static async open(settings: ProcessSettings): Promise<Engine> {
    const instance = await DuckDBInstance.create(':memory:', engineOptions(settings));
    const connections = [await instance.connect(), await instance.connect()];
    const [connection] = connections as [DuckDBConnection];
    try {
      await connection.run(`ATTACH '${settings.reach.replaceAll("'", "''")}' AS ${NAME} (READ_ONLY)`);
    } catch {
      throw new QueryError('unavailable', SENTENCES.tables);
    }
    for (const statement of LOCK) await connection.run(statement);
    return new Engine(settings, instance, connections);
  }

  /** Interrupts what is running. */
  interrupt(): void {
    this.#connection.interrupt();
  }

  /**
   * Answers a question. The head is written with the first rows.
   * @throws QueryError for a statement or parameters that are refused; errors of the engine
   */
  async answer(question: SqlQuestion, output: Output): Promise<void> {
    const { views = [] } = question;
    const sql = engineParameters(question.sql);
    const names = new Names(question);
    try {
      for (const view of views) await this.#name(view, names);
      const checked = await this.#checked(sql, names);
      const statement = { ...checked, tables: names.tablesOf(checked.tables) };
      checkParameters(statement.parameters, question.parameters);
      const prepared = await this.#connection.prepare(sql);
      try {
        bindValues(prepared, statement.parameters, question.parameters);
        const result = await prepared.stream();
        await this.#write(question, statement, { result, output });
      } finally {
        prepared.destroySync();
      }
    } finally {
      await this.#forget(views);
    }
  }

  /** @throws Error after which the engine is not used again: a name that is left would hide a table of the next question */
  async #forget(views: readonly NamedView[]): Promise<void> {
    try {
      for (const { name } of views) await this.#connection.run(`DROP VIEW IF EXISTS temp."${name}"`);
    } catch (cause) {
      throw new Error('The names of tables could not be removed.', { cause });
    }
  }

  /** Makes a name for a table, or for the rows of another statement, which is checked as any. */
  async #name(view: NamedView, names: Names): Promise<void> {
    const { name } = view;
    if (!/^[A-Za-z]\w*$/.test(name)) throw new QueryError('statement', 'A view has a wrong name.');
    try {
      const { sql, tables } = 'sql' in view ? await this.#checkedView(view.sql, names) : rowsOf(view.table);
      await this.#connection.run(`CREATE OR REPLACE TEMP VIEW "${name}" AS ${sql}`);
      names.add(name, tables);
    } catch (error) {
      if (!isUsableAfter(error)) throw error;
      const { kind, message } = toldOf(error);
      throw new QueryError(kind, `View "${name}": ${message}`);
    }
  }

  async #checkedView(text: string, names: Names): Promise<{ sql: string; tables: readonly string[] }> {
    const sql = engineParameters(text);
    const { tables, parameters } = await this.#checked(sql, names);
    if (parameters.length > 0)
      throw new QueryError('statement', 'It has parameters; only the question may have them.');
    // The checked statement is one SELECT, whatever else its text has.
    return { sql, tables };
  }

  close(): void {
    this.#instance.closeSync();
  }

  async #checked(sql: string, names: Names): Promise<Statement> {
    if (sql.includes('\0'))
      throw new QueryError('statement', 'The statement has a character that no text has (U+0000).');
    const prepared = await this.#parser.prepare('SELECT json_serialize_sql($1::VARCHAR)');
    try {
      prepared.bindVarchar(1, sql);
      const rows = await (await prepared.run()).getRows();
      const parsed = JSON.parse(String(rows[0]![0])) as Parsed;
      return checkStatement(sql, parsed, names);
    } finally {
      prepared.destroySync();
    }
  }

  async #write(
    { format, header, limit = Infinity }: SqlQuestion,
    { tables }: Statement,
    { result, output }: { result: DuckDBResult; output: Output },
  ): Promise<void> {
    const columns = columnsOf(result);
    const written = format === 'parquet' ? undefined : ROW_FORMATS[format](columns, header);
    const chunks = chunksOf(result, limit);
    const first = await chunks.next();
    output.begin({ tables, columns: columns.map(({ name }) => name) });
    const all = withFirst(first, chunks);
    if (!written) return writeParquet(columns, all, this.#settings, output);
    let rows = 0;
    let text = written.head;
    for await (const { chunk, count } of all) {
      const write = written.rows(chunk);
      for (let row = 0; row < count; row++) {
        text += write(row, rows++);
        if (text.length < PIECE) continue;
        await output.write(text, rows);
        text = '';
      }
    }
    await output.write(text + written.foot, rows);
  }
}

function engineOptions({ scratch, memory, threads }: ProcessSettings): Record<string, string> {
  return {
    threads: String(threads),
    memory_limit: `${memory.engine}MB`,
    temp_directory: scratch,
    max_temp_directory_size: `${memory.temporary}MB`,
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_community_extensions: 'false',
    allow_persistent_secrets: 'false',
  };
}

/** No other file, no other setting. Times are in UTC, wherever the server is. */
const LOCK = [
  `USE ${NAME}`,
  "SET TimeZone = 'UTC'",
  'SET enable_external_access = false',
  'SET lock_configuration = true',
];

const rowsOf = (table: string) => ({ sql: `SELECT * FROM ${NAME}.main."${table}"`, tables: [table] });

/** Reads a result to its end, or until there are enough rows. */
async function* chunksOf(result: DuckDBResult, limit: number): AsyncGenerator<Rows, undefined> {
  for (let left = limit; left > 0;) {
    const chunk = await result.fetchChunk();
    if (!chunk || chunk.rowCount === 0) {
      // After an error the library gives no more rows, as at the end, and says no word.
      if (result.returnType === ResultReturnType.INVALID) throw new LateError();
      return;
    }
    const count = Math.min(left, chunk.rowCount);
    left -= count;
    yield { chunk, count };
  }
}

async function* withFirst(
  first: IteratorResult<Rows, undefined>,
  others: AsyncIterable<Rows>,
): AsyncGenerator<Rows> {
  if (first.done) return;
  yield first.value;
  yield* others;
}

/** Returns the columns of a result, each with a name of its own. */
function columnsOf(result: DuckDBResult): Column[] {
  return distinctNames(result.columnNames()).map((name, at) => ({ name, type: result.columnType(at) }));
}
