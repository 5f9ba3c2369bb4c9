/** Accesses to a record, as a server has recorded them, and as a page lists them. */

export interface RecordAccess {
  id: string;
  /** RFC 3339. */
  time: string;
  /** `Practitioner/7`, or what else the server says; undefined where only the app is known. */
  user?: string;
  /** Name of the user. */
  name?: string;
  /** The app. */
  client?: string;
  /** `opened`: one study or resource; `looked`: a list. */
  does: 'opened' | 'looked';
  /** FHIR resource type. */
  type?: string;
  /** Study Instance UID. */
  study?: string;
  outcome: 'done' | 'refused' | 'failed';
}

/** Accesses of one person with one app on one day. */
export interface AccessGroup {
  user?: string | undefined;
  name?: string | undefined;
  client?: string | undefined;
  /** Newest first. */
  accesses: readonly RecordAccess[];
}

export interface AccessDay {
  /** `YYYY-MM-DD`, where the person is who reads it. */
  day: string;
  groups: readonly AccessGroup[];
}

/** Groups accesses by day, and within it by person and app; both in the order of the accesses. */
export function daysOf(accesses: readonly RecordAccess[]): AccessDay[] {
  return [...groupedBy(accesses, ({ time }) => localDay(time))].map(([day, ofDay]) => ({
    day,
    groups: [...groupedBy(ofDay, ({ user, client }) => JSON.stringify([user, client])).values()].map(
      (own) => ({ user: own[0]!.user, name: own[0]!.name, client: own[0]!.client, accesses: own }),
    ),
  }));
}

function groupedBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}

function localDay(time: string): string {
  const at = new Date(time);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}
