/**
 * Returns the beginning of a FHIR date or dateTime in milliseconds since the epoch: of a year its first second; a time
 * without a zone is UTC. Undefined for anything else.
 */
export function startOf(date: string | null | undefined): number | undefined {
  if (!date || !/^\d{4}(-\d\d(-\d\d(T.+)?)?)?$/.test(date)) return undefined;
  const hasZone = !date.includes('T') || /(Z|[+-]\d\d:\d\d)$/.test(date);
  const time = Date.parse(hasZone ? date : `${date}Z`);
  return Number.isNaN(time) ? undefined : time;
}

/** Returns the day that a date names in its own zone, or the year or month if it names no day. */
export function writtenDay(date: string): string {
  return date.slice(0, 10);
}
