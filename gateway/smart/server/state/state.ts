import { createHash, randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Adapter, AdapterPayload } from 'oidc-provider';
import type { Deadlines } from './deadlines.ts';
import { sqliteDeadlines } from './deadlines.ts';
import { markFormat } from '../../../../schema/process/data-format.ts';
import { Database } from '../../../../schema/process/sqlite.ts';

/**
 * State of the authorization servers of all tenants: a SQLite table here, Redis (`redis-state.ts`) for several gateways. If
 * two processes consume a row at once, one succeeds (RFC 6749 §10.5), and the id of an assertion is accepted once (RFC 7523
 * §3).
 */
export interface State {
  /** Returns the rows of one tenant and model. The name of a model is that of the provider, or one of ours. */
  model(tenant: string, name: string): Adapter;
  /** Returns the number of rows of a model that have not expired. */
  count(tenant: string, name: string): Promise<number>;
  /** Returns the deadlines of one tenant, of which each is done once by any process. */
  deadlines(tenant: string): Deadlines;
  /**
   * Takes a lock that one process can hold at a time.
   * @param seconds after which it expires, in case its holder has died
   * @returns a function that releases it; undefined when another process holds it
   */
  lock(tenant: string, name: string, seconds: number): Promise<(() => Promise<void>) | undefined>;
  close(): void;
}

/** A stored row. */
export interface Row {
  payload: string;
  /** Seconds since the epoch. */
  consumed: number | null;
}

/** Model whose rows may be written only once: ids of client assertions. */
export const ONCE = 'ReplayDetection';

/** Rows are kept this long after their end, so that a token that has just expired is reported as expired. */
export const GRACE_SECONDS = 60;
const WRITES_BETWEEN_CLEANUPS = 256;

/** Of the tables and rows. */
const FORMAT = 1;

/**
 * Returns state in a SQLite file. Ids are bearer secrets (tokens, codes, sessions): only their hashes are stored, so that a
 * copy of the file gives no access.
 * @param file path, or `:memory:`
 * @param now milliseconds since the epoch
 * @throws NewerDataError
 */
export function sqliteState(file: string, now: () => number): State {
  if (file !== ':memory:') mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const db = new Database(file, { timeout: 5000 });
  if (file !== ':memory:') chmodSync(file, 0o600);
  markFormat(db, FORMAT);
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = NORMAL');
  db.exec(`
    CREATE TABLE IF NOT EXISTS oauth (
      tenant TEXT NOT NULL, model TEXT NOT NULL, id TEXT NOT NULL, payload TEXT NOT NULL,
      grant_id TEXT, uid TEXT, consumed INTEGER, expires INTEGER,
      PRIMARY KEY (tenant, model, id)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS oauth_grant ON oauth (tenant, model, grant_id) WHERE grant_id IS NOT NULL;
    CREATE INDEX IF NOT EXISTS oauth_uid ON oauth (tenant, model, uid) WHERE uid IS NOT NULL;
    CREATE INDEX IF NOT EXISTS oauth_expires ON oauth (expires) WHERE expires IS NOT NULL;`);
  const alive = '(expires IS NULL OR expires > ?)';
  const upsert = db.prepare(
    `INSERT INTO oauth (tenant, model, id, payload, grant_id, uid, expires) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET payload = excluded.payload, grant_id = excluded.grant_id, uid = excluded.uid, expires = excluded.expires`,
  );
  const insert = db.prepare(
    `INSERT INTO oauth (tenant, model, id, payload, grant_id, uid, expires) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO NOTHING`,
  );
  const find = db.prepare<unknown[], Row>(
    `SELECT payload, consumed FROM oauth WHERE tenant = ? AND model = ? AND id = ? AND ${alive}`,
  );
  const findByUid = db.prepare<unknown[], Row>(
    `SELECT payload, consumed FROM oauth WHERE tenant = ? AND model = ? AND uid = ? AND ${alive}`,
  );
  const consume = db.prepare(
    'UPDATE oauth SET consumed = ? WHERE tenant = ? AND model = ? AND id = ? AND consumed IS NULL',
  );
  const destroy = db.prepare('DELETE FROM oauth WHERE tenant = ? AND model = ? AND id = ?');
  const revoke = db.prepare('DELETE FROM oauth WHERE tenant = ? AND model = ? AND grant_id = ?');
  const cleanup = db.prepare('DELETE FROM oauth WHERE expires < ?');
  const counted = db.prepare<unknown[], { rows: number }>(
    `SELECT count(*) AS rows FROM oauth WHERE tenant = ? AND model = ? AND ${alive}`,
  );
  const seconds = () => Math.floor(now() / 1000);
  const deadlines = sqliteDeadlines(db, seconds);
  const lock = db.prepare(
    `INSERT INTO oauth (tenant, model, id, payload, expires) VALUES (?, 'Lock', ?, ?, ?)
     ON CONFLICT DO UPDATE SET payload = excluded.payload, expires = excluded.expires WHERE expires <= ?`,
  );
  const unlock = db.prepare(
    `DELETE FROM oauth WHERE tenant = ? AND model = 'Lock' AND id = ? AND payload = ?`,
  );
  let writes = 0;

  const model = (tenant: string, name: string): Adapter => {
    const key = (id: string) => createHash('sha256').update(`${name}\0${id}`).digest('base64url');
    const write = name === ONCE ? insert : upsert;
    return {
      async upsert(id, payload, expiresIn) {
        if (++writes % WRITES_BETWEEN_CLEANUPS === 0) {
          cleanup.run(seconds() - GRACE_SECONDS);
          deadlines.cleanup();
        }
        const expires = expiresIn === undefined ? null : seconds() + expiresIn;
        const links = [payload.grantId ?? null, payload.uid ?? null];
        const { changes } = write.run(tenant, name, key(id), written(name, payload), ...links, expires);
        if (changes === 0) throw await taken();
      },
      async find(id) {
        return readRow(find.get(tenant, name, key(id), seconds() - GRACE_SECONDS), id);
      },
      async findByUid(uid) {
        return readRow(findByUid.get(tenant, name, uid, seconds() - GRACE_SECONDS));
      },
      async findByUserCode() {
        return undefined; // There is no device flow.
      },
      async consume(id) {
        const { changes } = consume.run(seconds(), tenant, name, key(id));
        if (changes === 0) throw await used();
      },
      async destroy(id) {
        destroy.run(tenant, name, key(id));
      },
      async revokeByGrantId(grantId) {
        revoke.run(tenant, name, grantId);
      },
    };
  };

  return {
    model,
    count: async (tenant, name) => counted.get(tenant, name, seconds())!.rows,
    deadlines: deadlines.of,
    async lock(tenant, name, lasting) {
      const holder = randomUUID();
      const { changes } = lock.run(tenant, name, holder, seconds() + lasting, seconds());
      return changes === 0 ? undefined : async () => void unlock.run(tenant, name, holder);
    },
    close: () => void db.close(),
  };
}

/** Returns the text of a row without its id, which is a secret and only stored as a hash. */
export function written(name: string, payload: AdapterPayload): string {
  const { jti, ...rest } = payload;
  // A session keeps its id, because it is also found by its uid.
  return JSON.stringify(name === 'Session' ? { ...rest, jti } : rest);
}

/** Reads a stored row. @param id by which it was found */
export function readRow(row: Row | undefined, id?: string): AdapterPayload | undefined {
  if (!row) return undefined;
  const payload = JSON.parse(row.payload) as AdapterPayload;
  if (id !== undefined && 'kind' in payload) payload.jti = id;
  if (row.consumed !== null) payload.consumed = row.consumed;
  return payload;
}

/** Returns the error of a row that was already consumed. */
export async function used(): Promise<Error> {
  const { errors } = await import('oidc-provider');
  return new errors.InvalidGrant('already used');
}

/** Returns true for the error of a row that was already consumed. */
export async function isUsed(error: unknown): Promise<boolean> {
  const { errors } = await import('oidc-provider');
  return error instanceof errors.InvalidGrant;
}

/** Returns the error of a client assertion that was used before. */
export async function taken(): Promise<Error> {
  const { errors } = await import('oidc-provider');
  return new errors.InvalidClientAuth('client assertion tokens must only be used once');
}
