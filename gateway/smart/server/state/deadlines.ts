import type Database from 'better-sqlite3';

/** Work to do later for one tenant: texts, each with a time after which one process takes it. */
export interface Deadlines {
  /** Adds a deadline. @param due seconds since the epoch */
  set(id: string, text: string, due: number): Promise<void>;
  /** Changes an existing deadline. A new time resets the tries. @returns false when there is none */
  change(id: string, change: { text?: string; due?: number }): Promise<boolean>;
  /**
   * Takes due deadlines; no other process gets them. One that is not removed is due again after `pause` seconds, and after
   * twice as long each further time.
   */
  take(most: number, pause: number): Promise<TakenDeadline[]>;
  /** Removes a taken deadline, unless its text was changed since. */
  remove(taken: TakenDeadline): Promise<void>;
  /** Returns the number of due deadlines. */
  waiting(): Promise<number>;
}

export interface TakenDeadline {
  id: string;
  text: string;
  /** Number of times that it was taken, including this one. */
  tries: number;
}

/** Time after which a deadline that no process took is deleted, for tenants that no longer exist. */
export const UNTAKEN_SECONDS = 30 * 86_400;

/**
 * Returns deadlines in SQLite.
 * @param seconds returns seconds since the epoch
 */
export function sqliteDeadlines(db: Database.Database, seconds: () => number) {
  db.exec(`
    CREATE TABLE IF NOT EXISTS deadlines (
      tenant TEXT NOT NULL, id TEXT NOT NULL, text TEXT NOT NULL, due INTEGER NOT NULL, tries INTEGER NOT NULL DEFAULT 0,
      PRIMARY KEY (tenant, id)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS deadlines_due ON deadlines (due, tenant);`);
  const set = db.prepare(
    `INSERT INTO deadlines (tenant, id, text, due) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET text = excluded.text, due = excluded.due, tries = 0`,
  );
  const change = db.prepare(
    `UPDATE deadlines SET text = coalesce(@text, text), due = coalesce(@due, due),
       tries = CASE WHEN @due IS NULL THEN tries ELSE 0 END
     WHERE tenant = @tenant AND id = @id`,
  );
  const take = db.prepare<object, TakenDeadline>(
    `UPDATE deadlines SET due = @now + (@pause << tries), tries = tries + 1
     WHERE (tenant, id) IN (SELECT tenant, id FROM deadlines WHERE due <= @now AND tenant = @tenant LIMIT @most)
     RETURNING id, text, tries`,
  );
  const remove = db.prepare('DELETE FROM deadlines WHERE tenant = ? AND id = ? AND text = ?');
  const waiting = db.prepare<unknown[], { rows: number }>(
    'SELECT count(*) AS rows FROM deadlines WHERE due <= ? AND tenant = ?',
  );
  const cleanup = db.prepare('DELETE FROM deadlines WHERE due < ?');

  return {
    cleanup: () => void cleanup.run(seconds() - UNTAKEN_SECONDS),
    of: (tenant: string): Deadlines => ({
      set: async (id, text, due) => void set.run(tenant, id, text, Math.ceil(due)),
      async change(id, { text = null, due }: { text?: string | null; due?: number }) {
        const to = due === undefined ? null : Math.ceil(due);
        return change.run({ tenant, id, text, due: to }).changes === 1;
      },
      take: async (most, pause) => take.all({ tenant, most, pause, now: seconds() }),
      remove: async ({ id, text }) => void remove.run(tenant, id, text),
      waiting: async () => waiting.get(seconds(), tenant)!.rows,
    }),
  };
}
