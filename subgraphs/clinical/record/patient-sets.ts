import type { Resource } from 'fhir/r4.js';
import type { Access } from '../../../schema/access/access.ts';
import type { Coverage } from '../../../schema/access/scopes.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { requirePatientSet } from '../../../schema/fhir/search/patient-sets.ts';
import type { GranularScopes } from '../authorization/granular-scopes.ts';
import type { RequestSource } from '../sources/request-source.ts';
import type { IdSearch, SearchParams } from '../sources/source.ts';
import { requireInnerSearches } from './chain.ts';
import type { StudyImages } from './study-images.ts';
import type { StudySearch } from './study-searches.ts';

/** Patients whose studies are searched by their own: of more, all studies are searched. */
const FEW_PATIENTS = 5_000;
/** A well-formed id that no patient has: the nil UUID. */
const NOBODY = '00000000-0000-0000-0000-000000000000';

export const patientNamed = (id: string): Resource & { id: string } => ({ resourceType: 'Patient', id });

interface PatientSetsOptions {
  access: Access;
  granular: GranularScopes;
  source: RequestSource;
  /** Returns the images, for this caller. */
  images: () => StudyImages | undefined;
}

/** An authorized search of the record, before its searches of studies. */
interface Searched {
  params: SearchParams;
  coverage: Coverage;
}

/**
 * Sets of patients, as a condition on the search of a record: those whom a search of the images finds. It does not authorize
 * the search itself; `Clinical` does that before.
 */
export class PatientSets {
  readonly #options: PatientSetsOptions;
  readonly #patients: readonly string[] | undefined;

  constructor(options: PatientSetsOptions) {
    this.#options = options;
    const { patients } = options.access;
    this.#patients = patients === 'all' ? undefined : patients.map(({ id }) => id);
  }

  /** Finds patients, only by their ids; undefined where their resources have to be read for it. */
  async patients(search: IdSearch, coverage: Coverage): Promise<readonly Resource[] | undefined> {
    const { source, granular } = this.#options;
    const backend = await source.backend();
    const narrowing = backend.ids && granular.narrowingAtOnce('Patient', coverage);
    if (!narrowing) return undefined;
    const params = [...search.params, ...narrowing];
    const ids = await source.ids('Patient', { params, most: search.most, patients: this.#patients });
    return ids.map(patientNamed);
  }

  /**
   * Returns a search with the patients whom searches of studies find: of a store as parameters, of a FHIR server as `within`,
   * because they do not fit into a URL.
   * @throws Fault as the images; `too_large`; `unsupported_parameter` for a chain before one where a FHIR server has the record
   */
  async withStudies(
    type: string,
    searches: readonly StudySearch[],
    { params, coverage }: Searched,
  ): Promise<{ params: SearchParams; within: ReadonlySet<string> | undefined }> {
    const { access, source, images } = this.#options;
    const { local } = await source.backend();
    for (const { before } of searches) {
      if (!local && before !== '') throw unsupportedByServer();
      // Whether the caller may follow the references that lead to the patients.
      requireInnerSearches(access, type, [[`${before}_id:not`, NOBODY]]);
    }
    const among = type === 'Patient' && params.length > 0 ? await this.#few(params, coverage) : undefined;
    const sets = await Promise.all(
      searches.map(async ({ name, value }) => {
        const patients = await images()!.patientsWith([[name, value]], among);
        requirePatientSet(patients.length, local);
        return patients;
      }),
    );
    if (!local) return { params, within: inAll(sets) };
    const conditions = sets.map((patients, at) => {
      const value = patients.length > 0 ? patients.join(',') : NOBODY;
      return [`${searches[at]!.before}_id`, value] as const;
    });
    return { params: [...params, ...conditions], within: undefined };
  }

  /** Returns the patients whom the other conditions find, if they are few: only their studies are looked at then. */
  async #few(params: SearchParams, coverage: Coverage): Promise<readonly string[] | undefined> {
    const found = await this.patients({ params, most: FEW_PATIENTS + 1 }, coverage);
    return found && found.length <= FEW_PATIENTS ? found.map(({ id }) => id!) : undefined;
  }
}

/** Returns what is in all of some lists, of which there is one at least. */
function inAll([first = [], ...others]: readonly (readonly string[])[]): ReadonlySet<string> {
  const sets = others.map((list) => new Set(list));
  return new Set(first.filter((id) => sets.every((set) => set.has(id))));
}

function unsupportedByServer(): Fault {
  const message =
    'The FHIR server of this record is asked for Patient?_has:ImagingStudy:patient:… only, without a chain before it.';
  return new Fault('unsupported_parameter', message);
}
