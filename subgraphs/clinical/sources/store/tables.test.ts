import { expect, test } from 'vitest';
import { RESOURCE_INDEXES, ROW_TABLES, TABLES } from './tables.ts';
import { Database } from '../../../../schema/process/sqlite.ts';

test.each(ROW_TABLES)(
  'FG-7 the rows of one resource in %s are removed without a look at all rows',
  (table) => {
    const db = new Database(':memory:');
    db.exec(TABLES);
    for (const index of RESOURCE_INDEXES) db.exec(index);
    const plan = db.prepare(`EXPLAIN QUERY PLAN DELETE FROM ${table} WHERE rid = ?`).all(1);
    expect(plan).toEqual([expect.objectContaining({ detail: expect.stringMatching(/^SEARCH/) as string })]);
    db.close();
  },
);
