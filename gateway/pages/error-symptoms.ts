/** Symptoms of errors that developers meet. In all texts, what a program reads is in backticks. */
export interface Symptom {
  /** Of its place in the page. */
  id: string;
  title: string;
  /** Pairs of what is seen and the next step. */
  rows: readonly (readonly [seen: string, next: string])[];
}

export const SYMPTOMS: readonly Symptom[] = [
  {
    id: 'no-answer',
    title: 'No answer: TypeError: Failed to fetch',
    rows: [
      [
        'The server runs, and the page of the app is at an address of a network, such as `192.168.1.9:5173`.',
        'Browsers allow requests to localhost, and `crypto.subtle` of a sign-in, only in a page at localhost or of `https`. Open the page at localhost, or serve page and server both by `https`.',
      ],
      ['Every page fails.', 'Compare scheme, host and port with what the server printed at its start.'],
    ],
  },
  {
    id: '401',
    title: '401: a token is refused',
    rows: [
      [
        'It worked until now.',
        'It has expired: use the refresh token, or sign in again. `expires_in` of the token answer has its seconds: an hour for a person, five minutes for a backend service and for the token of the start page.',
      ],
      [
        'It works for another tenant.',
        'Each tenant takes only tokens of its own authorization server, which `/{tenant}/fhir/.well-known/smart-configuration` names. Tenants without authorization, such as `open`, ignore the token.',
      ],
      [
        'It is new, and never worked.',
        'Send `access_token`, not `id_token` or the code, and ask with `aud={base}/{tenant}/fhir`. Tokens that are bound to a key (DPoP) are not taken.',
      ],
      [
        'An image in a page is 401.',
        'An `<img>` sends no token. Fetch the image with the token and show it as a blob, or get a link by `POST /{tenant}/wado/links`.',
      ],
    ],
  },
  {
    id: '403',
    title: '403, or null in GraphQL: scopes and patients',
    rows: [
      [
        '`insufficient_scope`',
        'Get a token with the scope in `WWW-Authenticate`, or in `extensions.scope` of the GraphQL error.',
      ],
      [
        'The scope was asked for.',
        'It was not granted. `scope` of the token answer says what was: the client, the person or the server can allow less.',
      ],
      [
        '“The token has no patient in context.”',
        'Ask for `launch/patient` with `patient/` scopes. Backend services ask for `system/` scopes, and need a policy at the tenant.',
      ],
      [
        'A GraphQL answer is 200, and a field is null.',
        'Read `errors`: `path` names the field, `extensions.code` the reason. All other fields are right.',
      ],
      [
        '`forbidden`, and the patient does exist.',
        'The token does not cover the patient. `patient` of the token answer is the one that it covers; `PatientList`, or `GET /{tenant}/fhir/Patient`, finds all, with `Patient.rs`.',
      ],
      [
        'An address of images was used or has expired.',
        'A link works once, within a minute: get a new one by `POST /{tenant}/wado/links`. For any other address, search the study again.',
      ],
      [
        '`access_denied` at `/register`',
        'The page of the app is not at `localhost` or `127.0.0.1`: open it there, or register by a command such as curl.',
      ],
    ],
  },
  {
    id: '404',
    title: '404: a tenant, path or id is not found',
    rows: [
      [
        '“There is no such tenant here.”',
        'The first part of the path is the key of a tenant, as its operator gave it: `/{tenant}/graphql`, `/{tenant}/fhir`, `/{tenant}/dicomweb`.',
      ],
      [
        'An id is not found.',
        'It does not exist, or the token may not read it. An ImagingStudy has the Study Instance UID as its id, without `urn:oid:`.',
      ],
      [
        '`/register` is not found.',
        'Only tenants with a sign-in of this server, such as `demo`, register apps, and only at localhost. Elsewhere, ask the operator for a `client_id`.',
      ],
    ],
  },
  {
    id: '400',
    title: '400: a request is not understood',
    rows: [
      [
        'GraphQL: an unknown field or argument',
        'Names are those of FHIR; search parameters have `_` for `-`. The playground, `/{tenant}/playground`, completes them; `/schema.graphql` has all of them.',
      ],
      [
        'FHIR: an unknown search parameter',
        'It is left out, and an OperationOutcome in the Bundle says so. With `Prefer: handling=strict` it is an error.',
      ],
      [
        '`invalid_scope`',
        'Ask for scopes that `error_description` names. A misspelled scope beside a good one is no error: compare `scope` of the token answer.',
      ],
      [
        '`invalid_client`, `invalid_redirect_uri`',
        'The client is registered for one tenant, with exactly these redirect URIs.',
      ],
      [
        '`invalid_grant`',
        'The code was used or is older than a minute, or `code_verifier` (PKCE) is missing or of another sign-in.',
      ],
    ],
  },
  {
    id: '406',
    title: '406, 415: formats',
    rows: [
      ['FHIR in XML', 'The only format is `application/fhir+json`.'],
      [
        'DICOMweb: `not_acceptable`',
        'The message names the media types. Add `transfer-syntax=*` to take images as they are stored.',
      ],
      [
        'A search by POST is 415.',
        'FHIR searches have `Content-Type: application/x-www-form-urlencoded`, GraphQL `application/json`.',
      ],
    ],
  },
  {
    id: '429',
    title: '429, 502, 503, 504: not now',
    rows: [
      [
        '`Retry-After`',
        'Wait for as many seconds, then send the same request. Nothing can be changed here, so a repetition does no harm.',
      ],
      [
        '503 soon after the start',
        'The server still reads records or images. `/health/ready` is 200 when all are read.',
      ],
      [
        'A part of a GraphQL answer is missing.',
        '`extensions.service` names what failed: `clinical`, `imaging` or `authorization`. The rest is right.',
      ],
      ['504', 'Ask for less: a page (`_count`), fewer fields, a series instead of a study.'],
    ],
  },
];
