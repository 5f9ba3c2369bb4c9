// Files that a rule does not hold for, each with its reason. `npm run check:lint` refuses all others.

/** Every test of it needs the same servers, which take seconds to start. */
const ONE_SYSTEM = 'one started system, asked by all of its tests';
/** One object with a closure for each of its operations over common state. */
const CLOSURES = 'a factory: its methods are the functions that it returns';

/** More than 300 lines of code. */
export const LARGE_FILES = {
  'gateway/demo/stories.ts': 'a table: the records of the demonstration',
  'gateway/smart/authorize.test.ts': 'tables of tokens and answers, over one set of fake servers',
  'gateway/smart/server/ehr-login/ehr-sessions.test.ts': ONE_SYSTEM,
  'schema/tenant/tenant.test.ts': 'a table: keys of the tenant file and what is said of a wrong one',
  'gateway/test/audit.test.ts': ONE_SYSTEM,
  'gateway/test/authorization.test.ts': ONE_SYSTEM,
  'gateway/test/bounded-requests.alone.test.ts': ONE_SYSTEM,
  'gateway/test/capability.test.ts': ONE_SYSTEM,
  'gateway/test/dual-launch-attacks.whole.test.ts': ONE_SYSTEM,
  'gateway/test/dual-launch.test.ts': ONE_SYSTEM,
  'gateway/test/faults/parts.ts': 'a table: the faults of each part, and how it is mended',
  'gateway/test/federation.test.ts': ONE_SYSTEM,
  'gateway/test/foreign-ehr.ts': 'one server with all endpoints of an EHR',
  'gateway/test/imaging-study-search.test.ts': 'a table: the searches of the standard, by both APIs',
  'gateway/test/playground-journey.whole.test.ts': 'a table: the examples, and what each shows',
  'gateway/test/self-test.test.ts': ONE_SYSTEM,
  'gateway/tenants/loading/tenants.test.ts': 'a table: what tenant files may say, and what is refused',
  'gateway/test/share.test.ts': ONE_SYSTEM,
  'gateway/test/shared-state.test.ts': ONE_SYSTEM,
  'gateway/test/whole.test.ts': ONE_SYSTEM,
  'gateway/test/trusted-documents.test.ts': ONE_SYSTEM,
  'gateway/test/user-tokens.test.ts': ONE_SYSTEM,
  'subgraphs/clinical/record/clinical.ts':
    'one class is the door of the record: it authorizes every read and search',
  'subgraphs/clinical/fhir/operations.test.ts': ONE_SYSTEM,
  'subgraphs/clinical/graphql/resolvers.test.ts': ONE_SYSTEM,
  'subgraphs/imaging/dicomweb/dicomweb-failures.whole.test.ts': ONE_SYSTEM,
  'subgraphs/imaging/dicomweb/dicomweb.test.ts': ONE_SYSTEM,
  'subgraphs/imaging/dicomweb/rendered.test.ts': ONE_SYSTEM,
  'subgraphs/imaging/fhir/fhir.test.ts': ONE_SYSTEM,
  'subgraphs/imaging/test/source-contract.ts': 'one suite for every image source',
  'subgraphs/imaging/sources/dicom-dimse.test.ts': ONE_SYSTEM,
  'subgraphs/imaging/sources/folder.whole.test.ts': ONE_SYSTEM,
  'subgraphs/imaging/sources/folder.ts': 'one class: the folder, its index and its watcher end together',
  'subgraphs/imaging/sources/stored/instance-reader.whole.test.ts': 'a table of damaged and unusual files',
  'subgraphs/imaging/study/copies.test.ts': ONE_SYSTEM,
};

/** A function of more than 80 lines of code. */
export const LARGE_FUNCTIONS = {
  'gateway/app.ts': 'the route table, to be read from top to bottom',
  'gateway/serve.ts': 'the composition root: who is given to whom',
  'gateway/smart/authorize.ts': CLOSURES,
  'gateway/smart/capability/capability-admission.ts': CLOSURES,
  'gateway/smart/server/ehr-login/ehr-sign-in.ts': CLOSURES,
  'gateway/smart/server/ehr-login/ehr-client.ts': CLOSURES,
  'gateway/smart/server/ehr-login/ehr-sessions.ts': CLOSURES,
  'gateway/smart/server/provider.ts': 'the settings of oidc-provider, one key after the other',
  'gateway/smart/server/server.ts': CLOSURES,
  'gateway/smart/server/state/state.ts': CLOSURES,
  'subgraphs/imaging/graphql/resolvers.ts': 'a table: the resolvers of the subgraph',
  'subgraphs/imaging/sources/dicom-web.ts': CLOSURES,
};

/** Returns files with one reason. */
const each = (reason, files) => Object.fromEntries(files.map((file) => [file, reason]));

/**
 * The way of a usual request from the token to the text of its answer (docs/decisions/0012-at-once.md): they go on at
 * once with a value that is at hand.
 */
export const ANSWERED_AT_ONCE = {
  ...each('the token, its patients and their identities are kept', [
    'gateway/http/authorization-hook.ts',
    'gateway/smart/authorize.ts',
    'gateway/smart/patient/patient-identities.ts',
    'gateway/smart/token/expiring-cache.ts',
    'gateway/smart/token/judged-tokens.ts',
  ]),
  ...each('a federated operation, compiled', [
    'gateway/federation/apollo/known-operations.ts',
    'gateway/federation/apollo/measured-operations.ts',
    'gateway/federation/apollo/supergraph.ts',
    'gateway/federation/executor/compiled-execution.ts',
    'gateway/federation/graph/graphql-request.ts',
    'gateway/federation/graphql-routes.ts',
  ]),
  ...each('a resource of an embedded record is read at once', [
    'subgraphs/clinical/authorization/access-record.ts',
    'subgraphs/clinical/graphql/patient.ts',
    'subgraphs/clinical/record/clinical.ts',
    'subgraphs/clinical/sources/request-source.ts',
  ]),
  ...each('the studies of a patient are kept, with what was made of them', [
    'schema/access/source-calls.ts',
    'subgraphs/imaging/authorization/caller-reach.ts',
    'subgraphs/imaging/authorization/reached-rows.ts',
    'subgraphs/imaging/cache/first-seen.ts',
    'subgraphs/imaging/fhir/fhir.ts',
    'subgraphs/imaging/fhir/find.ts',
    'subgraphs/imaging/fhir/page-instances.ts',
    'subgraphs/imaging/fhir/patients-of-search.ts',
    'subgraphs/imaging/graphql/dicom-facts.ts',
    'subgraphs/imaging/graphql/page-with-rows.ts',
    'subgraphs/imaging/graphql/resolvers.ts',
    'subgraphs/imaging/study/audit-trail.ts',
    'subgraphs/imaging/study/authorized-studies.ts',
    'subgraphs/imaging/study/caller-archive.ts',
  ]),
};

/** Caches by the library itself. */
export const OWN_CACHES = {
  'schema/cache/bounded-cache.ts': 'makes the caches of all others',
  'subgraphs/clinical/sources/store/kept-answers.ts':
    'reads the clock every 100 ms: at the rate of its look-ups, each millisecond would have a timer',
};
