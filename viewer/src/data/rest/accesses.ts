/** Accesses to a record: AuditEvents of a FHIR server (R4 §6.4), such as those of IHE BALP. */
import type { RecordAccess } from '../../domain/record/access.ts';
import { nameOf } from '../fhir/person.ts';
import {
  omitEmpty,
  present,
  type FhirConcept,
  type FhirPatient,
  type FhirReference,
  type List,
  type Maybe,
} from '../fhir/shapes.ts';
import type { Page } from '../source.ts';
import { page, queryOf, read, type Asking, type Resource } from './search.ts';

interface AuditEvent extends Resource {
  recorded?: Maybe<string>;
  action?: Maybe<string>;
  outcome?: Maybe<string>;
  outcomeDesc?: Maybe<string>;
  agent?: List<{
    type?: Maybe<FhirConcept>;
    who?: Maybe<FhirReference>;
    name?: Maybe<string>;
    requestor?: Maybe<boolean>;
  }>;
  entity?: List<{ what?: Maybe<FhirReference>; query?: Maybe<string> }>;
}

type Agent = NonNullable<NonNullable<AuditEvent['agent']>[number]>;

const ON_A_PAGE = 50;
/** Names that are looked up for one page. */
const MOST_NAMES = 10;

/** A page of the accesses to the record of a patient, newest first. @throws Trouble; the reason of the signal */
export async function accessesOf(
  server: Asking,
  { patient, next }: { patient: string; next?: string | undefined },
): Promise<Page<RecordAccess>> {
  const first = `${server.base}/AuditEvent?${queryOf({ patient, _count: String(ON_A_PAGE) })}`;
  const found = await page<AuditEvent & Resource>(server, 'AuditEvent', next ?? first);
  const accesses = found.matches.flatMap((event) => accessOf(event) ?? []);
  const names = await namesOf(server, accesses);
  const items = accesses.map((one) => omitEmpty({ ...one, name: one.name ?? names.get(one.user ?? '') }));
  return omitEmpty({ items, next: found.next });
}

/** @returns undefined for an event without a time */
function accessOf(event: AuditEvent): RecordAccess | undefined {
  const { id, recorded, action, outcome, outcomeDesc } = event;
  if (!id || !recorded || Number.isNaN(Date.parse(recorded))) return undefined;
  const agents = present(event.agent);
  const person = agents.find((agent) => agent.requestor === true && !isApp(agent));
  const app = agents.find(isApp);
  const entities = present(event.entity);
  const things = entities
    .map(({ what }) => what?.reference ?? '')
    .filter((one) => /^(?!Patient\/)[A-Z]/.test(one));
  const query = entities.map((one) => decoded(one.query)).find((one) => one !== '');
  const study = entities
    .map(({ what }) => /^urn:oid:([\d.]+)$/.exec(what?.identifier?.value ?? '')?.[1])
    .find((uid) => uid !== undefined);
  // A client that left may have had a part of the answer.
  const isDone = outcome === '0' || outcomeDesc === 'client left';
  return omitEmpty({
    id,
    time: recorded,
    user:
      person &&
      (person.who?.reference ??
        person.who?.identifier?.value ??
        person.who?.display ??
        person.name ??
        undefined),
    name: person?.who?.display ?? person?.name ?? undefined,
    client: app?.who?.identifier?.value ?? app?.who?.display ?? app?.name ?? undefined,
    does: action === 'E' ? ('looked' as const) : ('opened' as const),
    type: /^[A-Za-z]+/.exec(things[0] ?? query ?? (study === undefined ? 'Patient' : 'ImagingStudy'))?.[0],
    study,
    outcome: isDone ? ('done' as const) : outcome === '4' ? ('refused' as const) : ('failed' as const),
  });
}

/** The source of the request (DICOM 110153), which in IHE BALP is the app. */
function isApp({ type }: Agent): boolean {
  return present(type?.coding).some(({ code }) => code === '110153');
}

function decoded(base64: Maybe<string>): string {
  try {
    return atob(base64 ?? '');
  } catch {
    return '';
  }
}

/** Reads the names of practitioners. Without them the page shows what the server says. */
async function namesOf(
  server: Asking,
  accesses: readonly RecordAccess[],
): Promise<ReadonlyMap<string, string>> {
  const users = new Set(accesses.flatMap(({ user, name }) => (user && !name ? [user] : [])));
  const known = [...users].filter((user) => idOf(server.base, user) !== undefined).slice(0, MOST_NAMES);
  const names = await Promise.all(
    known.map(async (user): Promise<[string, string]> => {
      const asked = read<FhirPatient & Resource>(server, 'Practitioner', idOf(server.base, user)!);
      return [user, await asked.then(nameOf).catch(() => '')];
    }),
  );
  server.signal.throwIfAborted();
  return new Map(names.filter(([, name]) => name !== ''));
}

/** Returns the id of a practitioner of this server. */
function idOf(base: string, user: string): string | undefined {
  const own = user.startsWith(`${base}/`) ? user.slice(base.length + 1) : user;
  return /^Practitioner\/([\w.-]{1,64})$/.exec(own)?.[1];
}
