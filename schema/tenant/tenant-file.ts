import type { Patient } from 'fhir/r4.js';
import { z } from 'zod';
import { OBJECT_ELEMENTS, UID } from '../dicom/dicom.ts';
import { ORDER_ACCESSION_TYPES } from '../fhir/accession-types.ts';
import { FHIR_ID } from '../fhir/fhir.ts';
import { networkOf } from '../outbound/network.ts';
import { analysisFile } from './analysis-file.ts';
import { registeredClient } from './registered-client.ts';

/** Schema of a tenant file, applied after `//key` comments and `$env` references are resolved. */

/** The end of an absolute `fhirUser` (SMART App Launch 2.2 §4.5). */
const USER = /\/(Patient|Practitioner|PractitionerRole|RelatedPerson|Person)\/[A-Za-z0-9.-]{1,64}$/;

const url = z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }).transform(withoutSlash);
const jwk = z.looseObject({ kty: z.string() }, 'must be a JWK (RFC 7517): an object, not PEM text');

/** Certificates of the connections to a part of the tenant: files relative to the tenant file, or PEM text. */
const tls = z
  .strictObject({
    ca: z.string().min(1).optional(),
    certificate: z.string().min(1).optional(),
    key: z.string().min(1).optional(),
  })
  .refine(({ ca, certificate, key }) => ca ?? certificate ?? key, 'must name ca, or certificate and key')
  .refine(({ certificate, key }) => !certificate === !key, 'must name certificate and key together')
  .optional();

const client = z.strictObject({
  client_id: z.string().min(1),
  /** Public key, published for the authorization server; the private key signs our assertions. */
  jwk: z.looseObject({}).optional(),
  jwkPrivate: jwk.optional(),
  client_secret: z.string().optional(),
  /** Authentication of our introspection call; by default a bearer token from `client_credentials` (SM-7). */
  authentication: z
    .enum(['bearer', 'private_key_jwt', 'client_secret_basic', 'client_secret_post'])
    .optional(),
});

const fhirIds = z.array(z.string().regex(FHIR_ID, 'must be a FHIR id'));

const policyRow = z
  .strictObject({
    client_id: z.string().optional(),
    /** Compared as text: `fhirUser` of tokens is absolute too. */
    user: z
      .url({ protocol: /^https?$/, error: 'must be the absolute URL of the person' })
      .regex(USER, 'must end with a reference such as /Practitioner/1')
      .optional(),
    /** As a text, such as that of a variable, the ids are separated by spaces. */
    patients: z.union([
      fhirIds,
      z
        .string()
        .transform((ids) => ids.trim().split(/\s+/))
        .pipe(fhirIds),
    ]),
    studies: z.array(z.string()).optional(),
  })
  .refine(({ client_id: client, user }) => client ?? user, 'must name a client_id or a user');

/** Rule for studies to withhold (IA-31): all named conditions must match, each by one of its values. */
const withholdRule = z
  .strictObject({
    modality: z.array(z.string().min(1)).min(1).optional(),
    /** Values of BodyPartExamined, in any case. */
    bodyPart: z.array(z.string().min(1)).min(1).optional(),
    studyUid: z.array(z.string().regex(UID, 'must be a UID')).min(1).optional(),
    /** Security labels, `code` of any system or `system|code`. */
    security: z.array(z.string().min(1)).min(1).optional(),
    /** Treatment of studies without any label. */
    unlabelled: z.enum(['withhold', 'show']).default('withhold'),
    /** `patient`: withheld from patient scopes and from users who are not known to be practitioners. */
    for: z.enum(['patient', 'everyone']).default('everyone'),
  })
  .refine(
    (rule) => rule.modality ?? rule.bodyPart ?? rule.studyUid ?? rule.security,
    'must name a modality, bodyPart, studyUid or security',
  );

const shared = {
  scope: z.string().nullish(),
  modes: z.array(z.enum(['app-launch', 'backend-services'])).default(['app-launch']),
  introspectionTtl: z.number().min(0).max(3600).default(30),
  capabilityTtl: z.number().min(1).max(86400).default(300),
  refusedFields: z.enum(['null', 'reject']).default('null'),
  allowInsecureQuirks: z.boolean().default(false),
  policy: z.union([z.array(policyRow), z.strictObject({ url })]).default([]),
  withhold: z.array(z.union([withholdRule, z.strictObject({ url })])).default([]),
  clients: z
    .array(registeredClient)
    .refine(
      (clients) => new Set(clients.map(({ client_id: id }) => id)).size === clients.length,
      'must not name a client_id twice',
    )
    .default([]),
  /** More values of `aud` that mean this gateway; its own base and the clinical base always do (IA-5). */
  audience: z.array(z.string()).default([]),
  tls,
};

const external = { ...shared, fhirBaseUrl: url, client: client.optional() };

/** Endpoints, for an EHR whose discovery document is missing or wrong. */
const endpoints = { introspectionUrl: url.optional(), tokenUrl: url.optional() };

export const authorization = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('smart-on-fhir'), ...external, ...endpoints }),
  z.strictObject({ type: z.literal('smart-on-fhir-with-epic-bugfixes'), ...external, ...endpoints }),
  z.strictObject({ type: z.literal('smart-on-fhir-with-meditech-bugfixes'), ...external, ...endpoints }),
  z.strictObject({ type: z.literal('smart-on-fhir-independent'), ...external, ...endpoints }),
  z.strictObject({
    type: z.literal('smart-on-fhir-jwt'),
    ...external,
    issuer: url.optional(),
    jwksUri: url.optional(),
    tokenUrl: url.optional(),
    typ: z.array(z.string()).default(['at+jwt']),
    algorithms: z.array(z.enum(['RS256', 'RS384', 'ES256', 'ES384', 'PS256', 'PS384'])).optional(),
  }),
  z.strictObject({ type: z.literal('embedded'), ...shared, fhirBaseUrl: url.optional() }),
  z.strictObject({
    type: z.literal('mock'),
    ...shared,
    fhirBaseUrl: url.optional(),
    client: client.optional(),
    patient: z.custom<Patient>(isPatient, 'must be a FHIR Patient with an id').optional(),
    disableAuthzChecks: z.boolean().default(false),
    /** Older name of `disableAuthzChecks`. */
    disabled: z.boolean().optional(),
  }),
]);

export const clinical = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('fhir'), baseUrl: url, tls }),
  z.strictObject({ type: z.literal('store'), path: z.string().min(1) }),
  z.strictObject({ type: z.literal('none') }),
]);

/** Authentication of the gateway at a service behind it. */
export const serviceAuthentication = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('open') }),
  z.strictObject({ type: z.literal('http-basic'), username: z.string(), password: z.string() }),
  z.strictObject({ type: z.literal('bearer'), token: z.string().min(1) }),
  z.strictObject({
    type: z.literal('oauth2'),
    tokenUrl: url,
    client_id: z.string(),
    client_secret: z.string(),
    scope: z.string().optional(),
  }),
]);

/** The patient's identifier of type MR, else the first identifier (DW-19). */
const DEFAULT_MRN = ["identifier.where(type.coding.code='MR').value", 'identifier.value.first()'];

/** Seconds: enough to mount a disk again or to restart an archive, and still short for an archive that was cleared. */
export const EMPTY_IS_AWAY = 300;

/** Connections by type: together fewer than the 50 HTTP threads of Orthanc, or than the associations that archives accept. */
export const CONNECTIONS = {
  'dicom-web': { searches: 16, retrievals: 32 },
  'dicom-dimse': { searches: 4, retrievals: 4 },
};

/** Seconds. */
const READER_TIMEOUT = 120;

const imageSource = {
  lookup: z
    .enum(['all-studies-on-server', 'studies-by-mrn', 'studies-by-accession', 'studies-by-identifier'])
    .transform((lookup) => (lookup === 'studies-by-identifier' ? 'studies-by-mrn' : lookup)),
  mrn: z.array(z.string().min(1)).min(1).default(DEFAULT_MRN),
  issuer: z.string().optional(),
  matchBirthDate: z.boolean().default(false),
  delay: z
    .strictObject({ lookupUntil: z.number().default(0), retrieveUntil: z.number().default(0) })
    .default({ lookupUntil: 0, retrieveUntil: 0 }),
  patience: z.number().positive().max(600).default(20),
  endpointStyle: z.enum(['contained', 'included']).default('contained'),
  retrieve: z.enum(['token', 'capability', 'bearer-capability']).default('token'),
  strictQuery: z.boolean().default(false),
  /** Seconds for which a source that is suddenly empty counts as unreachable (DW-23); 0: it counts as empty at once. */
  emptyIsAway: z.number().nonnegative().max(604_800).default(EMPTY_IS_AWAY),
};

/** Limits for concurrent requests at an archive. Retrievals, whose readers may be slow, do not use up those of searches. */
const connections = (type: keyof typeof CONNECTIONS) => {
  const most = z.number().int().min(1).max(256);
  const { searches, retrievals } = CONNECTIONS[type];
  return z
    .strictObject({ searches: most.default(searches), retrievals: most.default(retrievals) })
    .default(CONNECTIONS[type]);
};

/** Application entity title (PS3.5 §6.2). */
const aeTitle = z
  .string()
  .regex(/^(?! )[\x20-\x5b\x5d-\x7e]{1,16}(?<! )$/, 'must be 1 to 16 characters of ASCII');

/** A sender of the objects of a C-MOVE. A list of senders replaces the one given by `endpoint` and `calledAe`. */
const sender = z.strictObject({
  ae: aeTitle.optional(),
  address: z
    .string()
    .refine(
      (text) => networkOf(text) !== undefined,
      'must be an IP address or a network, such as 10.0.0.0/8',
    ),
});

const DIMSE_ENDPOINT = 'must read dimse://host:port, with an IPv6 address in brackets';

/** A host name, an IPv4 address or an IPv6 address in brackets (RFC 3986 §3.2.2), and a port. */
const dimseEndpoint = z
  .string()
  .regex(/^dimse:\/\/([^/:[\]]+|\[[\da-fA-F:.]+\]):\d+$/, { error: DIMSE_ENDPOINT, abort: true })
  .refine((endpoint) => URL.canParse(endpoint), DIMSE_ENDPOINT);

export const images = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('dicom-web'),
    ...imageSource,
    endpoint: url,
    authentication: serviceAuthentication.default({ type: 'open' }),
    connections: connections('dicom-web'),
    tls,
  }),
  z.strictObject({
    type: z.literal('dicom-dimse'),
    ...imageSource,
    endpoint: dimseEndpoint,
    ae: aeTitle.default('STORESCP'),
    calledAe: aeTitle.default('ANY-SCP'),
    retrieval: z.enum(['c-get', 'c-move']).default('c-get'),
    senders: z.array(sender).min(1).optional(),
    connections: connections('dicom-dimse'),
    authentication: serviceAuthentication.optional(),
    tls,
  }),
  z.strictObject({ type: z.literal('folder'), ...imageSource, path: z.string().min(1) }),
]);

/** Days for which patients can list who has looked; 0: there is no list. */
const keep = z.number().int().min(0).max(3650).default(0);

export const audit = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('stdout'), keep }),
  z.strictObject({ type: z.literal('file'), path: z.string().min(1), keep }),
  z.strictObject({
    type: z.literal('fhir'),
    baseUrl: url,
    authentication: serviceAuthentication.default({ type: 'open' }),
    keep,
  }),
]);

/** Requests in a minute; null: as many as are sent. */
const requestsPerMinute = z.number().int().min(1).max(10_000_000).nullable().default(null);

/** A tenant file; `schema/tenant.schema.json` is generated from it. */
export const tenantFile = z.strictObject({
  $schema: z.string().optional(),
  authorization,
  clinical: clinical.optional(),
  images: z.union([images, z.array(images).min(1)]),
  graphql: z
    .strictObject({
      introspection: z.boolean().default(false),
      trustedDocuments: z.enum(['off', 'log', 'enforce']).default('off'),
      trustedDocumentsFile: z.string().min(1).optional(),
      trustedDocumentsOnly: z.boolean().default(false),
      explain: z.boolean().default(false),
    })
    .default({ introspection: false, trustedDocuments: 'off', trustedDocumentsOnly: false, explain: false }),
  joins: z
    .strictObject({
      /** Only for links: what a caller may reach is always decided by ACSN. */
      accessionTypes: z
        .array(z.string().min(1).max(64))
        .min(1)
        .max(20)
        .default([...ORDER_ACCESSION_TYPES]),
      requisition: z.boolean().default(true),
    })
    .default({ accessionTypes: [...ORDER_ACCESSION_TYPES], requisition: true }),
  limits: z
    .strictObject({
      /** Largest number of elements and values of a stored object that is parsed. */
      objectElements: z.number().int().min(1000).max(1_000_000).default(OBJECT_ELEMENTS),
      /** Seconds after which the connection of a client that does not read its images is closed. */
      readerTimeout: z.number().positive().max(3600).default(READER_TIMEOUT),
      /** Requests that are worked on at one time; null: half of MAX_IN_FLIGHT where there are several tenants. */
      inFlight: z.number().int().min(1).max(1_000_000).nullable().default(null),
      /** Of one client. */
      requestsPerMinute,
      /** Of all clients together. */
      tenantRequestsPerMinute: requestsPerMinute,
    })
    .default({
      objectElements: OBJECT_ELEMENTS,
      readerTimeout: READER_TIMEOUT,
      inFlight: null,
      requestsPerMinute: null,
      tenantRequestsPerMinute: null,
    }),
  organization: z
    .strictObject({
      name: z.string().trim().min(1).max(200),
      identifier: z.strictObject({ system: z.string().min(1), value: z.string().min(1) }).optional(),
      locationUid: z.string().regex(UID, 'must be a UID').optional(),
    })
    .optional(),
  mcp: z.strictObject({ enabled: z.boolean().default(false) }).default({ enabled: false }),
  /** SMART Health Links (IA-36). */
  share: z
    .strictObject({
      enabled: z.boolean().default(false),
      maxDays: z.number().int().min(1).max(365).default(30),
      maxUses: z.number().int().min(1).max(1000).default(20),
      passcode: z.enum(['required', 'optional']).default('required'),
    })
    .default({ enabled: false, maxDays: 30, maxUses: 20, passcode: 'required' }),
  analysis: analysisFile,
  audit: audit.default({ type: 'stdout', keep: 0 }),
});

function isPatient(value: unknown): boolean {
  const patient = value as Partial<Patient> | null;
  if (typeof patient !== 'object' || patient?.resourceType !== 'Patient') return false;
  return typeof patient.id === 'string' && FHIR_ID.test(patient.id);
}

function withoutSlash(text: string): string {
  return text.replace(/\/+$/, '');
}
