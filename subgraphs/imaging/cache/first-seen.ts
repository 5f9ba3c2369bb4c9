import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { boundedCache } from '../../../schema/cache/bounded-cache.ts';
import { Derivation } from '../../../schema/process/derivation.ts';
import type { Awaitable } from '../../../schema/process/awaitable.ts';
import { markFormat } from '../../../schema/process/data-format.ts';
import { Database } from '../../../schema/process/sqlite.ts';

/** A study with its present number of instances. */
export interface Sighting {
  studyUid: string;
  /** Undefined when the source gives no number. */
  instances?: number;
}

/** The time of the last change of a study (IA-13). */
export interface FirstSeenEntry {
  /** FHIR instant. */
  lastUpdated: string;
  /** True when the study was unknown before. The instant is then the gateway's, and does not show the study's age. */
  fresh: boolean;
}

/** Remembers when each study was first seen with its present instance count. A PACS keeps no such time (IA-13). */
export interface FirstSeen {
  /**
   * Records sightings and returns what is known of each study, by Study Instance UID. The same list of sightings gets the
   * same map while nothing changes.
   * @param tenant key of the tenant
   */
  observe(tenant: string, sightings: readonly Sighting[]): Awaitable<ReadonlyMap<string, FirstSeenEntry>>;
  close(): void;
}

/** Number of studies that are kept in the process, without a query to the file. */
const MAX_AT_HAND = 20_000;
/** Milliseconds after which the writes of another process are noticed. */
const NOTICED_AFTER = 50;

/** Of the table. */
const FORMAT = 1;

/**
 * Opens the file in `DATA_DIR`. Replicas that share the directory share it; others share `sharedFirstSeen`.
 * @param now seconds since the epoch
 * @throws NewerDataError
 */
export function openFirstSeen(dataDir: string, now: () => number): FirstSeen {
  mkdirSync(dataDir, { recursive: true });
  const database = new Database(join(dataDir, 'seen.sqlite'));
  markFormat(database, FORMAT);
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
  /** Unchanged studies, by tenant and study. It is cleared when another process has written. */
  const atHand = boundedCache<{ instances: number; memory: FirstSeenEntry }>({ entries: MAX_AT_HAND });
  const dataVersion = database.prepare('PRAGMA data_version').pluck();
  let version: unknown;
  let checked = -Infinity;
  /** Counts the writes of this process and of others, as far as they are noticed. */
  let writes = 0;
  const unchanged = new Derivation<readonly Sighting[], ReadonlyMap<string, FirstSeenEntry>>();
  // Another replica may have written in between: the earlier instant of the same count stays.
  const remember = database.prepare<[string, string, number, number]>(
    `insert into seen (tenant, study, instances, since) values (?, ?, ?, ?)
     on conflict (tenant, study) do update set instances = excluded.instances, since = excluded.since
     where seen.instances <> excluded.instances`,
  );

  const rememberAll = database.transaction((tenant: string, changed: readonly [string, number, number][]) => {
    for (const [study, instances, since] of changed) remember.run(tenant, study, instances, since);
  });

  const recalled = (tenant: string, sightings: readonly Sighting[]): ReadonlyMap<string, FirstSeenEntry> => {
    const milliseconds = Math.floor(now() * 1000);
    const memories = new Map<string, FirstSeenEntry>();
    const changed: [study: string, instances: number, since: number][] = [];
    for (const { studyUid, instances = -1 } of sightings) {
      const key = `${tenant}\n${studyUid}`;
      const kept = atHand.get(key);
      if (kept && (instances === -1 || kept.instances === instances)) {
        memories.set(studyUid, kept.memory);
        continue;
      }
      const known = recall.get(tenant, studyUid);
      // A missing count does not make the study new.
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
    // The next answer differs: these are then neither fresh nor changed.
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
    observe(tenant, sightings) {
      const time = performance.now();
      if (time >= checked + NOTICED_AFTER) {
        checked = time;
        const before = version;
        version = dataVersion.get();
        if (before !== version) {
          atHand.clear();
          writes++;
        }
      }
      return unchanged.of(sightings, [tenant, writes], () => recalled(tenant, sightings));
    },
    close: () => void database.close(),
  };
}
