import { readFileSync } from 'node:fs';

/** The result of comparing requests with their audit records. */
export interface Verification {
  /** Requests that must have left a record. */
  requests: number;
  /** Records that belong to one of them. */
  events: number;
  /** Correlation ids of requests without a record, in order. */
  missing: string[];
  /** Lines of the audit log that are not an AuditEvent. */
  unreadable: number;
}

/**
 * Counts records against requests (IA-30).
 * @param requests correlation ids (X-Request-Id)
 * @param audit NDJSON of FHIR AuditEvents; other lines, such as those of a log on the same stdout, count as unreadable
 */
export function verify(requests: readonly string[], audit: string): Verification {
  const counts = new Map<string, number>();
  let unreadable = 0;
  for (const line of audit.split('\n').filter((text) => text.trim() !== '')) {
    const id = requestOf(line);
    if (id === undefined) unreadable++;
    else counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  const wanted = [...new Set(requests)];
  return {
    requests: wanted.length,
    events: wanted.reduce((sum, id) => sum + (counts.get(id) ?? 0), 0),
    missing: wanted.filter((id) => !counts.has(id)),
    unreadable,
  };
}

interface Line {
  resourceType?: string;
  entity?: { type?: { code?: string }; what?: { identifier?: { value?: string } } }[];
}

function requestOf(line: string): string | undefined {
  const event = parsed(line) as Line | undefined;
  if (event?.resourceType !== 'AuditEvent') return undefined;
  return event.entity?.find(({ type }) => type?.code === 'XrequestId')?.what?.identifier?.value;
}

/** Routes that give data and so leave a record; discovery, pages and the authorization server do not. */
const DATA = /\/(graphql|dicomweb|wado|wado-uri|fhir)(\/|$)/;
const OPEN = /\/fhir\/(metadata|\.well-known)/;

/** Reads the correlation ids of requests for data from the `answered` lines of a log of the gateway. */
export function requestsIn(log: string): string[] {
  return log.split('\n').flatMap((text) => {
    const line = parsed(text) as {
      msg?: string;
      reqId?: string;
      route?: string;
      method?: string;
      tenant?: string;
    };
    if (line?.msg !== 'answered' || !line.reqId || !line.tenant || line.method === 'OPTIONS') return [];
    return DATA.test(line.route ?? '') && !OPEN.test(line.route ?? '') ? [line.reqId] : [];
  });
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return undefined;
  }
}

/** `--verify LOG AUDIT`: one file may be both, when both went to stdout. The exit code is 1 when a record is missing. */
if (process.argv[2] === '--verify') {
  const [log, audit] = process.argv.slice(3).map((path) => readFileSync(path, 'utf8'));
  const found = verify(requestsIn(log ?? ''), audit ?? log ?? '');
  for (const id of found.missing) console.log(`no record: ${id}`);
  console.log(
    `${found.requests} requests, ${found.events} records, ${found.missing.length} without a record`,
  );
  process.exitCode = found.missing.length > 0 ? 1 : 0;
}
