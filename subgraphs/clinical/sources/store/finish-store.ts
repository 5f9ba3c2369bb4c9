import type Database from 'better-sqlite3';
import type { Resource } from 'fhir/r4.js';
import { boundedCache } from '../../../../schema/cache/bounded-cache.ts';
import { CODED } from '../../../../schema/fhir/facets.ts';
import { parseFhirJson } from '../../../../schema/fhir/decimal.ts';
import { exactCode } from '../../search/index-rows.ts';
import { bindingParameter } from '../../search/reach.ts';
import { rewriteReferences } from '../bundle.ts';
import { packRids } from './facet-lists.ts';
import { entryOf } from './inputs.ts';
import { StoreWriter } from './store-writer.ts';
import { RESOURCE_INDEXES, ROW_TABLES, VALUE_INDEXES } from './tables.ts';

/** Resources of one transaction. */
const COMMITTED_TOGETHER = 1_000;
/** Milliseconds of one list of dates: 25 days. A range of dates reads some thousand rows at its ends then. */
const LIST_SPAN = 2 ** 31;

/**
 * Does what needs all resources: removes earlier versions, resolves conditional references, creates the indexes. Each step
 * may be repeated: a load that was killed begins again with the first.
 * @param onStep is called after each step
 */
export function finishStore(db: Database.Database, onStep: () => void): void {
  for (const index of RESOURCE_INDEXES) step(db, index, onStep);
  removeEarlierVersions(db);
  resolveConditional(db, onStep);
  for (const index of VALUE_INDEXES) step(db, index, onStep);
  // A sorted search need not look for resources without a value when there are none.
  db.exec(`UPDATE param SET valued = (SELECT count(DISTINCT rid) FROM date WHERE date.param = param.param)
    WHERE param IN (SELECT DISTINCT param FROM date)`);
  fillLists(db);
  const counts = db.prepare(
    'SELECT json_group_object(type, n) FROM (SELECT type, count(*) AS n FROM resource GROUP BY type)',
  );
  db.prepare("INSERT OR REPLACE INTO fingerprint VALUES ('counts', ?)").run(counts.pluck().get());
  db.exec('PRAGMA analysis_limit = 1000; ANALYZE');
}

/** Lists the resources of each value of coded elements, of each patient, and of each few weeks of a date. */
function fillLists(db: Database.Database): void {
  const last = db.prepare<[], number>('SELECT coalesce(max(rid), 0) FROM resource').pluck().get()!;
  // SQLite makes one list after the other: all are made in the same place.
  const rows = new Uint32Array(last);
  db.aggregate<number>('rids', {
    start: 0,
    step: (length, rid) => {
      rows[length] = rid;
      return length + 1;
    },
    result: (length) => packRids(rows.subarray(0, length)),
  });
  db.exec('DELETE FROM facet; DELETE FROM date_list');
  db.prepare(
    `INSERT INTO facet SELECT param, code, system, count(*), min(rid), rids(rid) FROM token
     WHERE param IN (SELECT param FROM param WHERE code IN (SELECT value FROM json_each(?))) GROUP BY 1, 2, 3`,
  ).run(JSON.stringify(CODED));
  const params = db.prepare<[], { param: number; type: string; code: string }>('SELECT * FROM param').all();
  const binding = params.filter(({ type, code }) => code === bindingParameter(type));
  db.prepare(
    `INSERT INTO facet SELECT param, target, '', count(*), min(rid), rids(rid) FROM reference
     WHERE param IN (SELECT value FROM json_each(?)) GROUP BY 1, 2`,
  ).run(JSON.stringify(binding.map(({ param }) => param)));
  db.prepare(
    `INSERT INTO date_list SELECT param, min(low), max(low), min(high), max(high), count(*), rids(DISTINCT rid) FROM date
     GROUP BY param, CAST(low / ? AS INTEGER)`,
  ).run(LIST_SPAN);
}

function step(db: Database.Database, sql: string, onStep: () => void): void {
  db.exec(sql);
  onStep();
}

/** The last of two resources with the same id stays. */
function removeEarlierVersions(db: Database.Database): void {
  const doubled = db
    .prepare<[], { type: string; id: string; last: number }>(
      'SELECT type, id, max(rid) AS last FROM resource GROUP BY type, id HAVING count(*) > 1',
    )
    .all();
  const earlier = db.prepare<[string, string, number], number>(
    'SELECT rid FROM resource WHERE type = ? AND id = ? AND rid < ?',
  );
  const remove = removal(db, ['conditional', ...ROW_TABLES]);
  db.transaction(() => {
    for (const { type, id, last } of doubled) earlier.pluck().all(type, id, last).forEach(remove);
  })();
}

function removal(db: Database.Database, tables: readonly string[]): (rid: number) => void {
  const statements = tables.map((table) => db.prepare<[number]>(`DELETE FROM ${table} WHERE rid = ?`));
  return (rid) => statements.forEach((statement) => statement.run(rid));
}

/** Replaces references such as `Practitioner?identifier=…` by the resource that has the identifier. */
function resolveConditional(db: Database.Database, onStep: () => void): void {
  const some = db.prepare<[], { rid: number; type: string; json: string }>(
    `SELECT rid, type, json FROM conditional JOIN resource USING (rid) LIMIT ${COMMITTED_TOGETHER}`,
  );
  if (!some.get()) return;
  const target = identifierTargets(db);
  const writer = new StoreWriter(db);
  const update = db.prepare<[string, number]>('UPDATE resource SET json = ? WHERE rid = ?');
  const removeRows = removal(
    db,
    ROW_TABLES.filter((table) => table !== 'resource'),
  );
  const resolved = db.prepare<[number]>('DELETE FROM conditional WHERE rid = ?');
  for (let found = some.all(); found.length > 0; found = some.all()) {
    db.transaction(() => {
      for (const { rid, type, json } of found) {
        const resource = parseFhirJson(json) as Resource & { id: string };
        rewriteReferences(resource, target);
        const entry = entryOf(resource);
        if (entry.json !== json) {
          update.run(entry.json, rid);
          removeRows(rid);
          writer.index(rid, type, entry.resource);
        }
        resolved.run(rid);
      }
      writer.flush();
    })();
    onStep();
  }
  db.exec('DROP INDEX token_identifier');
}

/** Returns a function that finds the reference for a conditional one; undefined for another text. */
function identifierTargets(db: Database.Database): (reference: string) => string | undefined {
  const params = db.prepare<[], number>("SELECT param FROM param WHERE code = 'identifier'").pluck().all();
  const identifiers = `param IN (${params.join(', ')})`;
  db.exec(
    `CREATE INDEX IF NOT EXISTS token_identifier ON token (param, code, rid, system) WHERE ${identifiers}`,
  );
  const find = (bySystem: string) =>
    db
      .prepare<unknown[], string>(
        `SELECT r.type || '/' || r.id FROM token t JOIN resource r ON r.rid = t.rid
         WHERE t.${identifiers} AND t.param = (SELECT param FROM param WHERE type = ? AND code = 'identifier')
         AND t.code = ? ${bySystem} ORDER BY t.rid DESC LIMIT 1`,
      )
      .pluck();
  const [byBoth, byValue] = [find('AND t.system = ?'), find('')];
  const found = boundedCache<{ target: string | undefined }>({ entries: 10_000 });
  return (reference) => {
    const [, type, identifier] = /^([A-Za-z]+)\?identifier=(.+)$/s.exec(decoded(reference)) ?? [];
    if (type === undefined || identifier === undefined) return undefined;
    let known = found.get(reference);
    if (!known) {
      const bar = identifier.indexOf('|');
      const code = exactCode(identifier.slice(bar + 1));
      const target = bar < 0 ? byValue.get(type, code) : byBoth.get(type, code, identifier.slice(0, bar));
      found.set(reference, (known = { target }));
    }
    return known.target;
  };
}

function decoded(text: string): string {
  try {
    return text.includes('%') ? decodeURIComponent(text) : text;
  } catch {
    return text;
  }
}
