/**
 * One line for each requirement. The ids are cited in comments and in titles of tests; `docs/requirements.md`
 * is generated from these lines and from the citations.
 */
export const REQUIREMENTS: Readonly<Record<string, string>> = {
  // SMART Imaging Access
  'IA-1':
    'The SMART configuration lists `smart-imaging-access`; `associated_endpoints` names the other bases that the same token opens.',
  'IA-2':
    'A tenant that accepts App Launch tokens advertises the App Launch capability and the grant `authorization_code`.',
  'IA-3':
    'A tenant that accepts Backend Services tokens advertises that capability, the grant `client_credentials` and its client authentication.',
  'IA-4': 'The modes of a tenant are configuration. A mode that is off is neither advertised nor accepted.',
  'IA-5':
    "A token has to be active, unexpired, not revoked, issued by the tenant's authorization server and meant for this gateway.",
  'IA-6':
    'The scopes of the token have to cover the request. `system/` scopes count in Backend Services mode only.',
  'IA-7':
    'A patient whom the request names and the token does not cover: 403. An id or UID outside the grant: the same 404, byte for byte and in the same time, as one that does not exist.',
  'IA-8':
    "The patients and studies of a backend client come from the tenant's policy. Other patients are 403; other studies of its patients are left out.",
  'IA-9':
    'Without established permissions nothing is served. A missing patient never means access to all, and the scopes of one grant never meet the patient of another.',
  'IA-11': "Reading a patient with the gateway's own credentials never widens what the caller may see.",
  'IA-12': 'A client assertion is never accepted as a bearer token.',
  'IA-13':
    'ImagingStudy can be searched by patient, `_lastUpdated`, identifier and the other listed parameters. A study without a remembered time counts as new.',
  'IA-14': '`_include=ImagingStudy:endpoint` puts the Endpoint of each study into the same page.',
  'IA-15':
    'The id of an ImagingStudy is its Study Instance UID; identifier, status, subject, modality and endpoint are always there.',
  'IA-16':
    'ImagingStudy has series, instances, counts, dates and accession number, and never a date or time zone that was not recorded.',
  'IA-17': 'Endpoint names the WADO-RS base and says whether a token is needed.',
  'IA-18': 'An Endpoint is contained, or an entry of its own on the same page as its study.',
  'IA-19': 'A slow source answers 503 with `Retry-After`; the identical request succeeds later.',
  'IA-20': 'Searches answer a FHIR searchset Bundle; errors are OperationOutcomes with the right status.',
  'IA-21': 'A full study with `transfer-syntax=*` is every instance as stored, one part each, streamed.',
  'IA-23': 'Every retrieval, in every form, is checked. No path can be extended beyond the grant.',
  'IA-24':
    'A study is never given in part as if it were whole: when one part is forbidden, the whole request is refused.',
  'IA-25':
    'A capability URL is encrypted, short-lived, bound to token, tenant, patient and study, and checked at every request.',
  'IA-26':
    'A capability URL that needs no header is an option of the tenant, off by default, and ends no later than the token.',
  'IA-27': 'While a C-GET or C-MOVE is running, the answer may be 503 with `Retry-After`.',
  'IA-28':
    'Dual launch: our own authorization server lets the user sign in at the EHR, asks for consent and issues its own token for that patient.',
  'IA-29':
    'What is cached about a study is kept apart from authorization, is fetched once for all who ask, and has a stated lifetime.',
  'IA-30': 'Every search and retrieval, allowed or refused, leaves an audit record without any credential.',
  'IA-31':
    'A tenant can withhold studies by label, modality, body part, UID or a decision service: in no list, and 404 when retrieved.',
  'IA-33': 'A token can be exchanged for a link to one retrieval that works once, within 60 seconds.',
  'IA-34':
    'A study that the clinical record and an archive both have is one ImagingStudy, read by either id. Halves that name different patients are not joined.',
  'IA-35':
    'A study whose series lie in several archives has an endpoint at each series; a study that cannot be retrieved has none.',
  'IA-36':
    'A link opens exactly the studies and resources that it was made for, with passcode, end, number of uses and revocation. It is off unless the tenant turns it on.',
  'IA-38':
    'A list is never silently wider or shorter than what was asked: what was left out or could not be had is an outcome or an error.',

  // DICOMweb and image sources
  'IA-47':
    'A study has a manifest as a FHIR document (`$mado`), with every series and instance that the caller may retrieve.',
  'DW-1': 'QIDO-RS searches for studies, series and instances, at every path of the standard.',
  'DW-2':
    'QIDO-RS matches every attribute that the standard requires, by keyword or tag, with wildcards, ranges and lists.',
  'DW-3':
    'Only checked search parameters reach a source. An unknown one is ignored with a warning or refused; our own restriction is set once.',
  'DW-4': 'RetrieveURL and BulkDataURI point to our own public address. No internal host is visible.',
  'DW-5':
    'Studies, series and instances can be had as multipart, single part or zip, as stored or transcoded; otherwise 406.',
  'DW-6':
    'Metadata are DICOM JSON with bulk data as URIs that work, compressed when asked for, with an entity tag.',
  'DW-7':
    'Frames can be had one by one or as a list, with the right media type. A frame that does not exist is 404.',
  'DW-8':
    'Rendered images apply window, LUT, palette, colour model and overlays correctly. Reports and PDF can be rendered too.',
  'DW-9': 'Thumbnails exist at every level and are cached on disk.',
  'DW-10': 'Bulk data can be had by its URI, with `Range`; `HEAD` and `OPTIONS` are answered.',
  'DW-11': 'Accept negotiation follows PS3.18 and works with the headers that real clients send.',
  'DW-12': 'UIDs are up to 64 digits and dots. Every error has the right status and says why.',
  'DW-13':
    'A multipart boundary cannot occur in the data, and an answer that fails midway ends as an aborted connection, never as a short body.',
  'DW-14': 'Images carry `Cache-Control: private` and vary by `Authorization` and `Accept`.',
  'DW-15':
    'Any QIDO-RS and WADO-RS server can be a source. What it cannot make (frames, pictures, transfer syntaxes) is made here.',
  'DW-16':
    'A DIMSE archive can be a source, by C-FIND and C-GET or C-MOVE. Requests for one study share one retrieval.',
  'DW-17': 'A folder of DICOM files can be a source: indexed, watched, with damaged files named in the log.',
  'DW-18':
    'A tenant can have several sources, and a study is the union of what they have of it. A slow or failed one is reported and hides nothing of the others.',
  'DW-19':
    'Patients are found by record number, accession number or not at all, as the tenant says. An empty number is never an unrestricted search.',
  'DW-20': 'Storing (STOW-RS) is not offered: POST is 405 with `Allow`.',
  'DW-21':
    'A study belongs to the patient only when its PatientID equals the record number exactly, and the issuer too where one is configured. A number whose owner is not clear, after a merge or its end, finds nothing.',
  'DW-23': 'A source is reachable or away. While it is away every UID answers 503, and nothing is deleted.',
  'DW-24':
    'Parsing, decoding and rendering of stored objects run off the event loop within budgets. An object above its budget counts as damaged.',
  'DW-25': 'Frames and objects can be had as HTJ2K, also RPCL with byte ranges, from any lossless source.',
  'DW-26':
    'Each object is compared with the search that authorized it (study, object, patient) before it is given.',
  'DW-27': 'A source with the same instances replaces one that fails. A part is never given as the whole.',
  'DW-28':
    'A video is given as it is stored, with its media type and byte ranges. Its frames are 406, its thumbnail is an icon, and nothing calls it damaged.',
  'DW-29':
    'All bulk data or pixel data of a study, series or instance come in one answer, each with its address; all of them or none.',

  // FHIR and GraphQL
  'FG-1': 'Schema and resolvers of the clinical subgraph are generated from the FHIR R4 definitions.',
  'FG-2': 'Lists take FHIR search parameters and pages. A list that is too long is an error, never cut.',
  'FG-3':
    'References resolve across subgraphs, and lists can be reached backwards (`ConditionList` of a patient).',
  'FG-4': 'Fields have their FHIR JSON names; lists take filters; decimals keep their precision.',
  'FG-5':
    "FHIR's type `Subscription` has another name in the schema, because GraphQL would take it for the subscription root.",
  'FG-6': 'Reads of one request are batched, and equal searches are made once.',
  'FG-7':
    "The clinical record comes from a FHIR server, called with the caller's token, or from an embedded store.",
  'FG-8':
    'ImagingStudy has all FHIR fields, and what an app needs to know of series and instances before it downloads them.',
  'FG-9':
    'Resources of the record and studies find each other by UID, by reference or by accession number, never those of two patients or issuers.',
  'FG-10':
    'When one side fails, the other is still answered, with an error that names the service and the path.',
  'FG-11': "GraphQL is also at FHIR's own addresses, `$graphql`, with an OperationOutcome in each error.",
  'FG-12':
    'A GraphQL request has limits for depth, tokens, aliases, cost, size and time, each with a clear error.',
  'FG-13':
    'Automatic persisted queries, trusted documents by every way in, protection against cross-site requests, and a limit for batches.',
  'FG-14': 'The supergraph is composed when the project is built, and the check fails when it is stale.',
  'FG-16':
    '`_reference` is an enum of what is possible, and both subgraphs share the types of the one generator.',
  'FG-17':
    "A patient's timeline is one sorted, paged list of all types; a type that could not be searched is named, and is an error.",
  'FG-19':
    'A trend gives measurements in one UCUM unit with ranges and flags, beside studies and procedures. Units that do not convert stay apart.',
  'FG-18':
    'A study has its priors (earlier, comparable studies of the same patient), and the measurements and dose of its structured reports; a report has the reports of priors.',
  'FG-20':
    'Searches are strict: what cannot be applied is refused, never dropped. Values with a prefix bound a range, on every list, in both subgraphs.',
  'FG-22':
    'A fragment with `@defer` comes later (`multipart/mixed`): the record first, the images when the archive has answered. Other clients get the whole answer at once.',
  'FG-23':
    'FHIRPath that callers send is judged by an allow-list and evaluated off the event loop under a time limit.',
  'FG-24':
    'An operation has one `__schema` at most. The usual introspection query is answered from a prepared text.',
  'FG-25':
    'Every example of the FHIR GraphQL specification that is valid GraphQL is answered at `$graphql`, at the base and at a resource of any type.',
  'FG-26':
    'The data flattening directives `@flatten`, `@first`, `@singleton` and `@slice` rearrange the answer at `$graphql`.',
  'FG-27': 'The description of each field that leads to a type of resource names the scope that it needs.',
  'FG-28':
    'A request can ask for its cost without being executed, and for its plan and its calls to sources beside the data.',
  'FG-29':
    'The rows of a connection are a stream of NDJSON or CSV to its end, in constant memory, resumable by cursor; a stream that fails never looks complete.',
  'FG-30':
    'Facets of a connection count the values of coded elements in the store, restricted as the search is; what is left out is said.',
  'FG-31':
    'The supergraph declares the scopes of fields and types. What they do not cover is refused before a source is asked: null with an error, or the whole request.',
  'FG-34':
    'The API is compared with that of the last release: what breaks clients is refused, unless it was deprecated and its date has passed.',
  'FG-35':
    'The supergraph can be a file that is read again when it changes. A wrong one is rejected, and no request fails while the graph is replaced.',
  'FG-38':
    '`$export` takes the parameters of Bulk Data 3.0: the time up to which, elements, and a search for each type, within the same rights. What it does not do is refused.',

  // SMART on FHIR
  'SM-1': 'SMART configuration and CapabilityStatement need no token and can be read from any origin.',
  'SM-2': 'The SMART configuration has every required field, with PKCE S256 alone.',
  'SM-3': 'Protected resource metadata (RFC 9728) exist, and challenges name them.',
  'SM-4': 'The CapabilityStatement lists what works, and nothing that does not.',
  'SM-5': 'Scopes of SMART v1 and v2 are read by one grammar; a granular scope filters what it covers.',
  'SM-6': 'One pure module decides scope, type and interaction for GraphQL, FHIR and DICOMweb alike.',
  'SM-7':
    'Each tenant says how the gateway authenticates at the introspection endpoint; its own token is cached until it ends.',
  'SM-8':
    'The answer of an introspection is read completely; without `exp` it is kept for the shortest time.',
  'SM-9':
    'A checked token is remembered by its hash for a short time. Refusals and outages are remembered for seconds only.',
  'SM-10':
    "JWT access tokens (RFC 9068) can be verified here by the issuer's keys, with a list of accepted algorithms.",
  'SM-11':
    'Quirks of vendors are data. Insecure ones have to be named, and tenants without tokens do not load on a public address.',
  'SM-12':
    'No token: 401 with a challenge. Bad token: 401 `invalid_token`. Too few scopes: 403 `insufficient_scope`. Authorization server down: 503.',
  'SM-13': 'Any origin may read; the headers that clients need are allowed and exposed.',
  'SM-14': 'No token, name or identifier reaches a log, an error message, a metric or a trace.',
  'SM-15':
    'A tenant in the URL reaches nothing of this machine and no private host, unless one is allowed by name.',
  'SM-16':
    "Under a `patient/` scope a resource is visible only in that patient's compartment, or as one of a closed list of types that records refer to.",
  'SM-17': "The clinical source is called with the caller's own token.",
  'SM-18': 'An operator can ask what does not work at a tenant, and why, without naming a patient.',
  'SM-19':
    'Failures at sign-in and token endpoints are throttled for each client and address. A failed exchange spends the code.',
  'SM-20':
    'Where the tenant turns it on, an assistant reads by MCP with the same token, rights, limits and audit as by GraphQL and DICOMweb.',
  'SM-21':
    'A token that is bound to a key (`cnf`, `token_type: DPoP`) opens nothing without its proof: 401 `invalid_token`, with the reason.',
};
