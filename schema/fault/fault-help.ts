import type { FaultCode } from './fault.ts';

/** Meaning of an error, and the next step of a developer. In both texts, what a program reads is in backticks. */
export interface Help {
  meaning: string;
  next: string;
}

/** Help for every code of a fault. `/errors` and docs/errors.md show it. */
export const FAULT_HELP: Readonly<Record<FaultCode, Help>> = {
  invalid_request: {
    meaning: 'A part of the request is wrong.',
    next: 'Correct the part that the message names.',
  },
  unsupported_parameter: {
    meaning: 'A search parameter, modifier or option is not supported.',
    next: 'Leave it out, or use the one that the message names.',
  },
  unauthenticated: {
    meaning: 'The request has no access token.',
    next: 'Send the header `Authorization: Bearer TOKEN`. `WWW-Authenticate` names the metadata, which say where to get a token. An `<img>` cannot send it: show a blob that was fetched with the token, or get a link by `POST /{tenant}/wado/links`.',
  },
  invalid_token: {
    meaning: 'The token is expired, revoked, of another tenant or for another server.',
    next: 'Get a new token from the server that `/{tenant}/fhir/.well-known/smart-configuration` names. Operators, if all tokens are refused: check the tenant, then clock, issuer and `audience`.',
  },
  insufficient_scope: {
    meaning: 'The token is valid, and its scopes do not cover this request.',
    next: 'Get a token with the scope that the message and the challenge name. The answer of the token endpoint says in `scope` what was granted.',
  },
  forbidden: {
    meaning:
      'The token or a policy does not cover this patient, a link or capability was used or has expired, or the document is not trusted.',
    next: 'Use the id in `patient` of the token answer. With `patient/Patient.rs`, a search of Patient without parameters finds all that the token covers. Links are for one use within a minute: get a new one by `POST /{tenant}/wado/links`. For any other address of images, search the study again.',
  },
  cross_site: {
    meaning: 'A page of another site sent a request that only pages of this server or of localhost may send.',
    next: 'To register an app: open its page at `localhost` or `127.0.0.1`, or register it by a command such as curl. In a sign-in: begin again in the app. Assistants ask without a page.',
  },
  not_found: {
    meaning: 'It does not exist, or this caller may not see it. The answer is the same for both.',
    next: 'Check the id and the tenant in the path, then search: a search finds what the token may read. Operators: check `lookup`, `mrn`, `issuer` and `withhold`.',
  },
  method_not_allowed: {
    meaning: 'The path has no such method. Records and images are read-only.',
    next: 'Use a method of the header `Allow`.',
  },
  not_acceptable: {
    meaning: 'The answer does not exist in a media type or transfer syntax of `Accept`.',
    next: 'Accept a type that the message names, or leave `Accept` out.',
  },
  gone: { meaning: 'The resource was deleted at its source.', next: 'Do not ask for it again.' },
  too_large: {
    meaning: 'The request or its answer is above a limit.',
    next: 'Ask for less: a page, a series, fewer fields.',
  },
  uri_too_long: { meaning: 'The URL is too long.', next: 'Send the parameters by POST.' },
  unsupported_media_type: {
    meaning: 'The body has a content type that the path does not take.',
    next: 'Set `Content-Type` to the type that the message names.',
  },
  range_not_satisfiable: {
    meaning: 'The object has no such bytes.',
    next: 'Ask for a range within the size in `Content-Range`.',
  },
  unprocessable: {
    meaning: 'A statement of SQL cannot be answered: it is wrong, not allowed, or takes too long.',
    next: 'Correct the line that the message names, or ask for less.',
  },
  too_many_requests: {
    meaning: 'The tenant limits requests, and this caller has sent more.',
    next: 'Wait for the seconds in `Retry-After`, then send the same request. Operators: `limits` of the tenant; behind a proxy, set `TRUSTED_PROXIES`.',
  },
  internal: {
    meaning: 'An error in the gateway.',
    next: 'Report it with the `X-Request-Id` of the answer, by which operators find the log line.',
  },
  not_implemented: {
    meaning: 'The server or this tenant does not have the function.',
    next: 'Do without it. The message names a setting that is missing.',
  },
  bad_gateway: {
    meaning: 'EHR or archive gave an answer that cannot be used, or an object is damaged.',
    next: 'Tell the operator, who finds the cause in the log.',
  },
  unavailable: {
    meaning: 'EHR, archive or disk cannot be reached or is slow, or the gateway has too much load.',
    next: 'Wait for the seconds in `Retry-After`, then send the same request.',
  },
  gateway_timeout: { meaning: 'The answer took too long.', next: 'Ask for less at a time.' },
};

/** Help for the codes that GraphQL servers give for errors of a document. */
export const GRAPHQL_HELP = {
  GRAPHQL_PARSE_FAILED: {
    meaning: 'The document is not GraphQL.',
    next: 'Correct the syntax at the line and column of `locations`.',
  },
  GRAPHQL_VALIDATION_FAILED: {
    meaning:
      'The document does not fit the schema: a field, argument or type is unknown, or a value has the wrong type.',
    next: 'Use the name that the message suggests, or write the query in the playground, `/{tenant}/playground`, which completes names. `/schema.graphql` has all of them. Names of search parameters have `_` for `-`.',
  },
  BAD_USER_INPUT: {
    meaning: 'A value in `variables` is missing or has the wrong type.',
    next: 'Send the variable with the type that the document declares.',
  },
  BAD_REQUEST: {
    meaning: 'The body is no GraphQL request.',
    next: 'Send JSON such as `{"query": "{ PatientList { id } }"}` with `Content-Type: application/json`.',
  },
  OPERATION_RESOLUTION_FAILURE: {
    meaning: 'The document has no operation with this name, or several and none is named.',
    next: 'Set `operationName` to an operation of the document.',
  },
  PERSISTED_QUERY_NOT_FOUND: {
    meaning: 'The server does not know the document with this hash yet.',
    next: 'Send the hash together with the document once. Libraries do this themselves.',
  },
  PERSISTED_QUERY_NOT_SUPPORTED: {
    meaning: 'The tenant takes no documents by hash.',
    next: 'Send the document itself.',
  },
} satisfies Record<string, Help>;

/** Help for errors of OAuth that are no codes of a fault (RFC 6749 §4.1.2.1 and §5.2, RFC 7591 §3.2.2, RFC 8707 §2). */
export const OAUTH_HELP = {
  invalid_scope: {
    meaning: 'No scope of the request can be granted to this client.',
    next: 'Ask for scopes that the message names. Apps get `patient/` and `user/` scopes, backend services `system/` scopes, and a registered client no more than its registration.',
  },
  invalid_client: {
    meaning: 'The client is unknown, or its secret or assertion is wrong.',
    next: 'Check `client_id`, secret or key, and the tenant in the path. A client is registered for one tenant.',
  },
  invalid_grant: {
    meaning:
      'The code or refresh token is expired, used, or of another client or redirect URI, or `code_verifier` is missing or wrong.',
    next: 'If it never worked: send `redirect_uri` and the `code_verifier` of this sign-in (PKCE), of which `code_challenge` was made. Then start the sign-in again: a code works once, within a minute.',
  },
  invalid_redirect_uri: {
    meaning: 'The redirect URI is not one that a client may register.',
    next: 'Register `https`, `http` at localhost, or the scheme of a native app; a page registers only addresses of its own origin. Send the same URI, to the last character, in each request.',
  },
  invalid_client_metadata: {
    meaning: 'The registration has a value that is not supported.',
    next: 'Correct the member that the message names.',
  },
  invalid_target: {
    meaning: '`resource` names another server. For `aud`, the error is `invalid_request`.',
    next: 'Name the FHIR base of the tenant: `/{tenant}/fhir` with the public address.',
  },
  unauthorized_client: {
    meaning: 'The client may not use this grant type or response type.',
    next: 'Use the grant type of its registration: a code for apps, client credentials for backend services.',
  },
  unsupported_grant_type: {
    meaning: 'The server does not have the grant type.',
    next: 'Use one of `grant_types_supported` in the discovery document.',
  },
  unsupported_response_type: {
    meaning: 'The only response type is a code.',
    next: 'Send `response_type=code`.',
  },
  access_denied: {
    meaning: 'The person did not agree, or may not see the patient. At `/register`: see `cross_site`.',
    next: 'Start again when the person wants to.',
  },
  login_required: {
    meaning: 'A request without pages (`prompt=none`) needs a person who signs in.',
    next: 'Send the request again without `prompt=none`.',
  },
  consent_required: {
    meaning: 'A request without pages (`prompt=none`) needs a person who agrees.',
    next: 'Send the request again without `prompt=none`.',
  },
  temporarily_unavailable: {
    meaning: 'The server, or the EHR behind it, cannot answer now.',
    next: 'Wait for the seconds in `Retry-After`, then try again.',
  },
  server_error: {
    meaning: 'An error in the authorization server.',
    next: 'Report it with the `X-Request-Id` of the answer.',
  },
} satisfies Record<string, Help>;

/**
 * Returns the address of the help for a code.
 * @param baseUrl public base of the whole server
 */
export const helpUrl = (baseUrl: string, code: string): string => `${baseUrl}/errors#${code}`;
