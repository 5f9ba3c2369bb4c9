import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { markFormat } from '../../../schema/process/data-format.ts';
import { Database } from '../../../schema/process/sqlite.ts';

/** A link as it is stored. What tells of a person is sealed, and names are hashes of secrets. */
export interface StoredShare {
  /** Name of the link: a hash of its secret and of its tenant. */
  name: string;
  /** Sealed. */
  details: string;
  /** Openings that are left. */
  uses: number;
  /** The last opening, sealed; undefined before the first one. */
  opening?: string;
}

export interface NewShare extends Omit<StoredShare, 'opening'> {
  /** Name of its capability. */
  capability: string;
  /** The names of its owner, by each key that seals; the first one is kept. */
  owners: readonly string[];
  /** Wrong passcodes until it is locked. */
  tries: number;
  /** Encrypted for the receiver, who alone has the key. */
  files: readonly string[];
  /** Seconds since the epoch. */
  expires: number;
}

/**
 * Links of all tenants (IA-36): a SQLite file here, Redis (`redis-share-state.ts`) for several gateways. Each change is atomic:
 * of many requests at once, none counts twice or not at all. A link that has expired is not found.
 */
export interface ShareState {
  /** Stores a link. @returns false when its owner has `most` links that have not expired */
  add(share: NewShare, most: number): Promise<boolean>;
  ofOwner(owners: readonly string[]): Promise<StoredShare[]>;
  find(name: string): Promise<StoredShare | undefined>;
  ofCapability(capability: string): Promise<StoredShare | undefined>;
  /** Takes a try before a passcode is compared. @returns tries that are left then; undefined when there was none, or no link */
  takeTry(name: string): Promise<number | undefined>;
  /** Gives a try back: the passcode was right. */
  giveBackTry(name: string): Promise<void>;
  /** Takes a use, and keeps the opening. @returns false when there was none */
  open(name: string, opening: string): Promise<boolean>;
  file(name: string, index: number): Promise<string | undefined>;
  /** Removes a link with its files. @returns false when there was none */
  remove(name: string): Promise<boolean>;
  /** Makes a ticket usable once. */
  issue(ticket: string, seconds: number): Promise<void>;
  /** Returns true the first time. */
  use(ticket: string): Promise<boolean>;
  close(): void;
}

/** Of the tables. */
const FORMAT = 1;
const PURGE_MILLISECONDS = 60_000;

/**
 * Returns links in a SQLite file. What is deleted is overwritten.
 * @param file path, or `:memory:`
 * @param now milliseconds since the epoch
 * @throws NewerDataError
 */
export function sqliteShareState(file: string, now: () => number): ShareState {
  if (file !== ':memory:') mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const db = new Database(file, { timeout: 5000 });
  if (file !== ':memory:') chmodSync(file, 0o600);
  markFormat(db, FORMAT);
  db.pragma('journal_mode = TRUNCATE');
  db.pragma('secure_delete = ON');
  db.pragma('foreign_keys = ON');
  db.exec(`
    CREATE TABLE IF NOT EXISTS shares (
      name TEXT PRIMARY KEY, capability TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, details TEXT NOT NULL,
      uses INTEGER NOT NULL, tries INTEGER NOT NULL, opening TEXT, expires REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS shares_owner ON shares (owner);
    CREATE TABLE IF NOT EXISTS share_files (
      name TEXT NOT NULL REFERENCES shares ON DELETE CASCADE, number INTEGER NOT NULL, text TEXT NOT NULL,
      PRIMARY KEY (name, number)
    );
    CREATE TABLE IF NOT EXISTS share_tickets (ticket TEXT PRIMARY KEY, expires REAL NOT NULL) WITHOUT ROWID;`);
  const seconds = () => now() / 1000;
  const columns = 'SELECT name, details, uses, opening FROM shares WHERE expires > ? AND';
  const find = db.prepare<unknown[], Row>(`${columns} name = ?`);
  const ofCapability = db.prepare<unknown[], Row>(`${columns} capability = ?`);
  const ofOwner = db.prepare<unknown[], Row>(`${columns} owner IN (SELECT value FROM json_each(?))`);
  const insert = db.prepare(
    `INSERT INTO shares (name, capability, owner, details, uses, tries, expires)
     VALUES (@name, @capability, @owner, @details, @uses, @tries, @expires)`,
  );
  const insertFile = db.prepare('INSERT INTO share_files (name, number, text) VALUES (?, ?, ?)');
  const takeTry = db.prepare<unknown[], { tries: number }>(
    'UPDATE shares SET tries = tries - 1 WHERE name = ? AND tries > 0 AND expires > ? RETURNING tries',
  );
  const giveBackTry = db.prepare('UPDATE shares SET tries = tries + 1 WHERE name = ?');
  const open = db.prepare(
    'UPDATE shares SET uses = uses - 1, opening = ? WHERE name = ? AND uses > 0 AND expires > ?',
  );
  const readFile = db.prepare<unknown[], { text: string }>(
    'SELECT text FROM share_files JOIN shares USING (name) WHERE name = ? AND number = ? AND expires > ?',
  );
  const remove = db.prepare('DELETE FROM shares WHERE name = ? AND expires > ?');
  const issue = db.prepare('INSERT INTO share_tickets (ticket, expires) VALUES (?, ?)');
  const use = db.prepare('DELETE FROM share_tickets WHERE ticket = ? AND expires > ?');
  const purges = ['shares', 'share_tickets'].map((table) =>
    db.prepare(`DELETE FROM ${table} WHERE expires <= ?`),
  );
  const purge = () => {
    for (const one of purges) one.run(seconds());
  };
  const add = db.transaction(({ files, owners, ...share }: NewShare, most: number): boolean => {
    purge();
    if (ofOwner.all(seconds(), JSON.stringify(owners)).length >= most) return false;
    insert.run({ ...share, owner: owners[0] });
    files.forEach((text, number) => insertFile.run(share.name, number, text));
    return true;
  }).immediate;
  purge();
  const purging = setInterval(purge, PURGE_MILLISECONDS).unref();

  return {
    add: async (share, most) => add(share, most),
    ofOwner: async (owners) => ofOwner.all(seconds(), JSON.stringify(owners)).map(shareOf),
    find: async (name) => shareIf(find.get(seconds(), name)),
    ofCapability: async (capability) => shareIf(ofCapability.get(seconds(), capability)),
    takeTry: async (name) => takeTry.get(name, seconds())?.tries,
    giveBackTry: async (name) => void giveBackTry.run(name),
    open: async (name, opening) => open.run(opening, name, seconds()).changes === 1,
    file: async (name, index) => readFile.get(name, index, seconds())?.text,
    remove: async (name) => remove.run(name, seconds()).changes === 1,
    issue: async (ticket, lasting) => void issue.run(ticket, seconds() + lasting),
    use: async (ticket) => use.run(ticket, seconds()).changes === 1,
    close() {
      clearInterval(purging);
      db.close();
    },
  };
}

type Row = Omit<StoredShare, 'opening'> & { opening: string | null };

const shareOf = ({ opening, ...row }: Row): StoredShare => ({ ...row, ...(opening !== null && { opening }) });
const shareIf = (row: Row | undefined) => row && shareOf(row);
