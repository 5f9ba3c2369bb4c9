import { CONNECTIONS } from './tenant-file.ts';

const { 'dicom-web': web, 'dicom-dimse': dimse } = CONNECTIONS;
const SERVICE_AUTHENTICATION = {
  type: 'How the gateway signs in at this service.',
  username: 'User name of HTTP Basic.',
  password: 'Password of HTTP Basic.',
  token: 'A fixed bearer token.',
  tokenUrl: 'Token endpoint for the client credentials grant.',
  client_id: 'Client identifier of the gateway at that token endpoint.',
  client_secret: 'Client secret of the gateway at that token endpoint.',
  scope: 'Scope that the gateway asks for.',
};
const TLS = {
  tls: 'Certificates of the connections to this part; see [networks](networks.md#networks). Not in a dynamic tenant.',
  'tls.ca': 'PEM file of the authorities that are trusted, and no others. Without it: those of the system.',
  'tls.certificate': 'PEM file of our certificate, for a server that asks for one (mTLS).',
  'tls.key': 'PEM file of its private key, without a passphrase.',
};

/** Meanings of the keys of a tenant file, by path. Editors and `docs/configuration.md` show them. */
export const KEY_MEANINGS: Readonly<Record<string, string>> = {
  authorization: 'The issuer of the tokens, and the access that they give.',
  ...below('authorization', {
    type: 'Kind of authorization; see `docs/authorization.md`.',
    fhirBaseUrl: "The EHR's FHIR base URL.",
    client: 'Registration of the gateway at the EHR.',
    'client.client_id': 'Client identifier that the EHR has registered for the gateway.',
    'client.jwk': 'Public key (JWK). The gateway publishes it for the EHR.',
    'client.jwkPrivate': 'Private key (JWK, ES384 or RS384). It signs the client assertions of the gateway.',
    'client.client_secret': 'Client secret, for an EHR that does not accept a key.',
    'client.authentication':
      'How the introspection call is authenticated. Without it: a bearer token that the gateway gets by client credentials.',
    scope: 'Scope of the backend token that the gateway requests for itself.',
    modes: 'Scopes that count: `patient/` and `user/` with `app-launch`, `system/` with `backend-services`.',
    introspectionTtl:
      'Seconds for which a checked token is trusted. This is the delay until a revocation is noticed.',
    capabilityTtl: 'Seconds for which a capability URL works.',
    introspectionUrl: "Introspection endpoint, when the EHR's discovery document is wrong.",
    tokenUrl: "Token endpoint, when the EHR's discovery document is wrong.",
    audience: 'More values of `aud` that mean this gateway. Its own base and the clinical base always do.',
    issuer: 'Issuer of the tokens. Without it: as the EHR publishes it.',
    jwksUri: "URL of the issuer's keys. Without it: as the EHR publishes it.",
    typ: 'Accepted values of the JWT header `typ`.',
    algorithms: 'Accepted signature algorithms.',
    policy:
      'Patients and studies of each backend client, or of a user: a list of rows, or a service that decides for clients.',
    'policy.client_id': 'Backend client. Beside `user`: the app that the user has to use.',
    'policy.user':
      'Absolute `fhirUser` of a person: `user/` scopes reach the patients of the row. Each row names a client or a user.',
    'policy.patients':
      'FHIR ids of the patients that it, or the user, may see: a list, or a text with spaces between them.',
    'policy.studies': 'Study Instance UIDs that may be seen. Without it: all studies of these patients.',
    'policy.url': 'Service that decides instead: it gets `{ tenant, client_id }` by POST.',
    withhold:
      'Rules that hide studies. A study is hidden when one rule matches. A rule matches when each of its conditions has one matching value.',
    'withhold.modality': 'Modalities (DICOM code).',
    'withhold.bodyPart': 'Values of BodyPartExamined, in upper or lower case.',
    'withhold.studyUid': 'Study Instance UIDs.',
    'withhold.security': 'Security labels: `code` of any system, or `system|code`.',
    'withhold.unlabelled': 'For a rule with `security`: what happens to studies without any label.',
    'withhold.for':
      '`patient`: the rule counts for patient scopes and for users who are not known to be practitioners.',
    'withhold.url': 'Service that decides for each study.',
    clients: "Apps of the gateway's own authorization server, with the metadata of RFC 7591.",
    'clients.client_id': 'Client identifier.',
    'clients.client_name': 'Name of the app that a user sees.',
    'clients.redirect_uris': 'Redirect URIs, compared exactly. Without them the client is a backend service.',
    'clients.jwks': 'Its public keys (JWK Set), for `private_key_jwt`.',
    'clients.jwks_uri': 'URL of these keys instead.',
    'clients.client_secret': 'Its secret, 16 characters or more.',
    'clients.token_endpoint_auth_method':
      'How it authenticates. Without it: by its key, else by its secret (`client_secret_basic`), else not at all.',
    'clients.id_token_signed_response_alg': 'Algorithm of its id_tokens. Without it: RS256.',
    'clients.scope': 'Clinical scopes that it may get. Without it: any.',
    refusedFields:
      'A refused GraphQL field is `null` with an error; with `reject` the whole request is refused.',
    allowInsecureQuirks: 'Accepts tokens that are not bound to a patient (Meditech).',
    patient: 'The FHIR Patient of a mock tenant.',
    disableAuthzChecks: 'A mock tenant serves every patient.',
    disabled: 'Older name of `disableAuthzChecks`.',
    ...TLS,
  }),
  clinical: 'The source of the clinical record. Without it: the FHIR server at `authorization.fhirBaseUrl`.',
  ...below('clinical', {
    type: 'A FHIR server, a store that the gateway fills from files, or no record.',
    baseUrl: 'FHIR base URL. The gateway sends it the token of the caller.',
    path: 'Folder of FHIR files (Bundles or NDJSON), relative to the tenant file.',
    ...TLS,
    tls: `${TLS.tls} Without it: \`authorization.tls\`, if \`baseUrl\` has the same origin as \`authorization.fhirBaseUrl\`.`,
  }),
  images: 'The source of the images, or a list of sources.',
  ...below('images', {
    type: 'Kind of source: DICOMweb server, DIMSE archive or folder of DICOM files.',
    lookup:
      "How a patient's studies are found. `studies-by-identifier` is an older name of `studies-by-mrn`.",
    mrn: 'FHIRPath expressions that give the PatientID; the first one with a value is used.',
    issuer: 'IssuerOfPatientID that the studies must have.',
    matchBirthDate: 'Also withholds, and logs, studies whose birth date differs from that of the EHR.',
    delay: 'Answers 503 for some time, to test clients.',
    'delay.lookupUntil': 'Searches answer 503 until this time (Unix seconds).',
    'delay.retrieveUntil': 'Retrievals answer 503 until this time (Unix seconds).',
    patience:
      'Seconds to wait for a slow archive before the answer is 503 with `Retry-After`. The work goes on for two minutes, and the identical request continues it. With several sources, one that answers nothing while others do is not waited for longer than 1.5 s.',
    endpointStyle: 'Endpoints inside each ImagingStudy, or as separate entries. The first source decides.',
    retrieve:
      'Authorization of a retrieval: the token in the header, a capability URL with the token, or only a capability URL. The first source decides.',
    strictQuery:
      'Refuses QIDO-RS parameters that are not supported. Without it: they are ignored with a warning.',
    emptyIsAway:
      'Seconds for which a source that is suddenly empty counts as unreachable: 503, and nothing is deleted. With 0 it counts as empty at once.',
    endpoint: 'Base URL of the DICOMweb server, or `dimse://host:port` (an IPv6 address in brackets).',
    authentication: 'How the gateway signs in at the archive.',
    ...below('authentication', SERVICE_AUTHENTICATION),
    connections: 'Requests or associations at one archive at the same time. More requests wait.',
    'connections.searches': `Limit for searches: ${web.searches} for \`dicom-web\`, ${dimse.searches} for \`dicom-dimse\`.`,
    'connections.retrievals': `Limit for retrievals: ${web.retrievals} for \`dicom-web\`, ${dimse.retrievals} for \`dicom-dimse\`.`,
    ae: 'Application entity title of the gateway, and destination of its C-MOVE requests.',
    calledAe: 'Application entity title of the archive.',
    retrieval:
      'How the gateway retrieves. For C-MOVE the archive must have an entry for `ae` with our `DIMSE_PORT`.',
    senders: 'Systems that may send the objects of a C-MOVE. Without it: only the archive.',
    'senders.ae': 'Application entity title of the sender. Without it: any.',
    'senders.address': 'IP address or network of the sender.',
    path: 'Folder of DICOM files, relative to the tenant file.',
    ...TLS,
  }),
  graphql: 'Settings of the GraphQL API.',
  'graphql.introspection': 'Allows introspection queries.',
  'graphql.explain':
    'Tells callers the cost, the plan and the calls to sources of their requests, when they ask for it.',
  'graphql.trustedDocuments':
    'What happens to a document that is not [trusted](graphql-cost.md#trusted-documents): nothing; it is executed, logged and counted; or it is refused.',
  'graphql.trustedDocumentsFile':
    'File with the documents of your own apps, relative to the tenant file: a manifest in the format of Apollo. Put it into a folder below that of the tenants, where each `.json` file is a tenant.',
  'graphql.trustedDocumentsOnly': 'The older form: `true` means `"trustedDocuments": "enforce"`.',
  joins: 'How the record and images are joined.',
  'joins.accessionTypes':
    'Types (HL7 v2-0203 codes) of the identifiers that are accession numbers. They only link resources that the caller may see anyway. `lookup: studies-by-accession` always uses only `ACSN`.',
  'joins.requisition': 'The `requisition` of an order is an accession number too, whatever its type.',
  limits: 'Limits of this tenant.',
  'limits.objectElements':
    'Elements and values together that one stored object may have. A larger one counts as damaged and is sent only as it is stored.',
  'limits.readerTimeout':
    'Seconds after which the connection of a client that reads (almost) nothing of its images is closed.',
  'limits.inFlight':
    'Requests that are worked on at one time. Further ones are 503 with `Retry-After`, for this tenant alone. Without it: half of `MAX_IN_FLIGHT` where there is more than one tenant.',
  'limits.requestsPerMinute':
    'Requests for data in a minute of one client: of its `client_id`, or of its address if the token names none. Further ones are 429. See `docs/limits.md`.',
  'limits.tenantRequestsPerMinute': 'The same for all clients of the tenant together.',
  organization:
    'The organization that answers for manifests of studies. Without it `ImagingStudy/{id}/$mado` is 501; see `docs/fhir-operations.md`.',
  'organization.name': 'Its name, as people know it.',
  'organization.identifier': 'A number by which others know it.',
  'organization.identifier.system': 'URI of the numbers, such as `urn:ietf:rfc:3986` for an OID.',
  'organization.identifier.value': 'The number.',
  'organization.locationUid':
    'Retrieve Location UID (0040,E011) of the images, if the network has given one to this server. Without it: one that is made of the address of the tenant.',
  mcp: 'The Model Context Protocol, by which assistants read the record and the images.',
  'mcp.enabled':
    'Serves `/{tenant}/mcp`; see `docs/assistants.md`. Without it, there is nothing at this path.',
  share: 'Links by which a person shows studies to somebody without an account (SMART Health Links).',
  'share.enabled':
    'Serves `/{tenant}/share`, `/{tenant}/shl` and `/{tenant}/shared`; see `docs/sharing.md`. Without it, there is nothing at these paths.',
  'share.maxDays': 'Longest life of a link, in days.',
  'share.maxUses': 'Largest number of times that a link may be opened.',
  'share.passcode': '`required`: a link is not made without a passcode. `optional`: the person decides.',
  analysis:
    'Tables of the record and the images, and SQL over them (SQL on FHIR); see `docs/analyse-data.md`.',
  'analysis.enabled':
    'Serves `$sql-run`, `$sql-export`, `ViewDefinition` and `Library` below `/{tenant}/fhir`. Without it, there is nothing at these paths. The record must be a `store`, or be fetched (`source`).',
  'analysis.source':
    '`record`: the tables are made of the record of the tenant. `bulk`: of what the EHR exports (Bulk Data Access), which the gateway fetches with `authorization.client`; only tokens whose patients the `policy` names get answers.',
  'analysis.group': 'Id of the Group that the EHR exports, with `bulk`. Without it: all patients.',
  'analysis.refreshMinutes':
    'Minutes between two looks whether record and images have changed, and between two exports; the tables are then made anew.',
  'analysis.views':
    'Files of ViewDefinitions, relative to the tenant file: tables besides those that every tenant has. Put them into a folder below that of the tenants, where each `.json` file is a tenant.',
  'analysis.questions':
    'Files of SQL with annotations (`-- @title: …`), relative to the tenant file: published questions, which are served as `Library`.',
  'analysis.instances':
    'Fills `imaging_instance` for archives too, by a request for the metadata of each study; folders have it anyway.',
  'analysis.dicom':
    'Keywords of DICOM attributes (PS3.6), such as `SliceThickness`: columns of `imaging_instance` besides those that it has. A folder is read anew when the list changes.',
  audit: 'The destination of audit records.',
  'audit.type': 'Lines on standard output, a file, or a FHIR server.',
  'audit.path': 'File to append to, relative to the tenant file.',
  'audit.baseUrl': 'FHIR server that receives an AuditEvent for each record.',
  'audit.keep':
    'Days for which a patient can list who has looked (`/fhir/AuditEvent`), whatever the destination; 0: there is no list.',
  'audit.authentication': 'How the gateway signs in at that server.',
  ...below('audit.authentication', SERVICE_AUTHENTICATION),
};

function below(path: string, meanings: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(meanings).map(([key, text]) => [`${path}.${key}`, text]));
}
