/**
 * SQLite for Node: `better-sqlite3` in the version that this Node can run. Version 12 is for Node 20; on Node 24 it ends the
 * process when a statement is collected as garbage. Version 13 needs Node 22.
 */
import type BetterSqlite3 from 'better-sqlite3';

const isOld = Number.parseInt(process.versions.node, 10) < 22;

/** Opens a database. */
export const Database = (isOld ? await import('better-sqlite3') : await import('better-sqlite3-node22'))
  .default as typeof BetterSqlite3;
