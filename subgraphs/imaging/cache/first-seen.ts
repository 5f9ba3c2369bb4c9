import Database from 'better-sqlite3';
import { LRUCache } from 'lru-cache';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Derivation } from '../../../schema/process/derivation.ts';

/** A study as it is now: what is remembered is when it was first seen with this many instances. */
export interface Sighting {
  studyUid: string;
  /** Undefined where the source does not say. */
  instances?: number;
}

/** When a study came to be as it is (IA-13). */
export interface Memory {
  /** FHIR instant. */
  lastUpdated: string;
  /** True when nothing was remembered before this sighting: the instant is then only ours, and no proof of age. */
  fresh: boolean;
}

/** A PACS has no last-updated; this remembers when we first saw each study with its present instance count (IA-13). */
export interface Seen {
  /**
   * Remembers studies as they are now. The same list of sightings gets the same map, as long as nothing has changed.
   * @param tenant key of the tenant
   */
  observe(tenant: string, sightings: readonly Sighting[]): Promise<ReadonlyMap<string, Memory>>;
  close(): void;
}

/** Studies whose memory needs no question to the file. */
const MAX_AT_HAND = 20_000;

/**
 * Opens the memory in `DATA_DIR`; replicas that share the directory share it, those that do not share `sharedFirstSeen`.
 * @param now seconds since the epoch
 */
export function openFirstSeen(dataDir: string, now: () => number): Seen {
  mkdirSync(dataDir, { recursive: true });
  const database = new Database(join(dataDir, 'seen.sqlite'));
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = NORMAL');
  database.pragma('busy_timeout = 2000');
  database.exec(
    `create table if not exists seen (
       tenant text not null, study text not null, instances integer not null, since integer not null,
       primary key (tenant, study)
     ) without rowid, strict`,
  );
  const recall = database.prepare<[string, string], { instances: number; since: number }>(
    'select instances, since from seen where tenant = ? and study = ?',
  );
  /** Of studies that have not changed, by tenant and study; as long as no other process has written. */
  const atHand = new LRUCache<string, { instances: number; memory: Memory }>({ max: MAX_AT_HAND });
  const dataVersion = database.prepare('PRAGMA data_version').pluck();
  let version: unknown;
  /** Changes with everything that this process or another writes. */
  let writes = 0;
  const unchanged = new Derivation<readonly Sighting[], ReadonlyMap<string, Memory>>();
  // A second replica may have written in between: the earlier instant of the same count stays.
  const remember = database.prepare<[string, string, number, number]>(
    `insert into seen (tenant, study, instances, since) values (?, ?, ?, ?)
     on conflict (tenant, study) do update set instances = excluded.instances, since = excluded.since
     where seen.instances <> excluded.instances`,
  );

  const rememberAll = database.transaction((tenant: string, changed: readonly [string, number, number][]) => {
    for (const [study, instances, since] of changed) remember.run(tenant, study, instances, since);
  });

  const recalled = (tenant: string, sightings: readonly Sighting[]): ReadonlyMap<string, Memory> => {
    const milliseconds = Math.floor(now() * 1000);
    const memories = new Map<string, Memory>();
    const changed: [study: string, instances: number, since: number][] = [];
    for (const { studyUid, instances = -1 } of sightings) {
      const key = `${tenant}\n${studyUid}`;
      const kept = atHand.get(key);
      if (kept && (instances === -1 || kept.instances === instances)) {
        memories.set(studyUid, kept.memory);
        continue;
      }
      const known = recall.get(tenant, studyUid);
      // A source that once fails to say how many there are does not make the study new.
      const same = known !== undefined && (instances === -1 || known.instances === instances);
      const since = same ? known.since : milliseconds;
      const memory = { lastUpdated: new Date(since).toISOString(), fresh: known === undefined };
      memories.set(studyUid, memory);
      if (same) atHand.set(key, { instances: known.instances, memory });
      else {
        atHand.delete(key);
        changed.push([studyUid, instances, milliseconds]);
      }
    }
    // What is fresh or changed now is not so the next time.
    if (changed.length > 0) writes++;
    try {
      if (changed.length > 0) rememberAll(tenant, changed);
    } catch {
      // A memory that cannot be written costs no answer: what it misses counts as not known (IA-13), now and next time.
      for (const [studyUid] of changed) memories.set(studyUid, { ...memories.get(studyUid)!, fresh: true });
    }
    return memories;
  };

  return {
    async observe(tenant, sightings) {
      const before = version;
      version = dataVersion.get();
      if (before !== version) {
        atHand.clear();
        writes++;
      }
      return unchanged.of(sightings, [tenant, writes], () => recalled(tenant, sightings));
    },
    close: () => void database.close(),
  };
}
