import { Fault } from '../../../schema/fault/fault.ts';
import { searchParameter } from '../../../schema/fhir/tables.ts';
import { parseCriteria } from './criteria.ts';
import type { SearchParams } from './search-params.ts';
import { searchFrom } from './sql.ts';
import type { SqlContext } from './sql-context.ts';

/** No store: the conditions are read, and nothing is searched. */
const NO_STORE: SqlContext = { param: () => undefined, now: 0 };

/** Modifiers that only a server with a terminology or a hierarchy can apply (R4 §3.1.1.4.4), by type of parameter. */
const OF_SERVERS = /^(token:(above|below|in|not-in)|reference:(above|below)|special:)$/;

/** A position: `latitude|longitude[|distance[|units]]` (R4 Location, search by proximity). */
const NEAR = /^-?\d+(\.\d+)?\|-?\d+(\.\d+)?(\|\d*(\.\d+)?(\|[^|]*)?)?$/;

/**
 * Reads the values of a search that a server answers: it might ignore what it cannot read, and find too much.
 * @throws Fault as a store: `invalid_request` for a value that cannot be read, `unsupported_parameter` for a modifier or a form
 *   that neither the store nor a server can apply
 */
export function requireReadableValues(type: string, params: SearchParams): void {
  for (const pair of params) {
    if (isOfServers(type, pair)) continue;
    searchFrom(type, parseCriteria(type, [pair]), NO_STORE);
  }
}

function isOfServers(type: string, [name, value]: SearchParams[number]): boolean {
  const [code = '', modifier = ''] = name.split(':');
  const kind = searchParameter(type, code)?.type;
  if (value === '' || !OF_SERVERS.test(`${kind}:${modifier}`)) return false;
  if (kind !== 'special' || NEAR.test(value)) return true;
  throw new Fault('invalid_request', `${code} takes latitude|longitude, and optionally |distance|unit.`);
}
