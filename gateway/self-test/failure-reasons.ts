import { Fault } from '../../schema/fault/fault.ts';
import type { ImagesConfig } from '../../schema/tenant/tenant.ts';

/** Explanations of a connection's error code for the operator. */
const CONNECTION: readonly [RegExp, (code: string) => string][] = [
  [/^(ENOTFOUND|EAI_AGAIN)$/, () => 'its name is not known to DNS'],
  [/^ECONNREFUSED$/, () => 'nothing listens there'],
  [/^ERR_PROXY_AWAY$/, () => 'the proxy (HTTPS_PROXY) is away, or does not reach it'],
  [
    /^ERR_PROXY_REFUSED$/,
    () => 'the proxy (HTTPS_PROXY) refuses the connection; check its rules and the password in the variable',
  ],
  [/^(EHOSTUNREACH|ENETUNREACH)$/, () => 'there is no route to it'],
  [/TIMEOUT|ETIMEDOUT/, () => 'it does not answer; a firewall may be in between'],
  [
    /^(ECONNRESET|EPIPE|UND_ERR_SOCKET)$/,
    () =>
      'it closed the connection; a server that wants a certificate of ours (tls.certificate) does that too',
  ],
  [/^CERT_HAS_EXPIRED$/, (code) => `its certificate has expired (${code})`],
  [/^ERR_TLS_CERT_ALTNAME_INVALID$/, (code) => `its certificate is for another name (${code})`],
  [
    /^ERR_SSL_\w*ALERT_/,
    (code) => `it ended TLS (${code}); it may want another certificate of ours (tls.certificate)`,
  ],
  [/^ERR_SSL_WRONG_VERSION_NUMBER$/, () => 'the server at this port does not speak TLS'],
  [/^(ERR_SSL_|EPROTO)/, (code) => `it does not speak TLS as we do (${code})`],
  [
    /CERT|SELF_SIGNED|UNABLE_TO_/,
    (code) => `its certificate is not trusted (${code}); name its authority in tls.ca of this part`,
  ],
];

/** Some errors have the code only in their message. */
const CODE_IN_TEXT = /\b(ECONN[A-Z]+|EHOST[A-Z]+|ENET[A-Z]+|ETIMEDOUT|ENOTFOUND|EAI_AGAIN)\b/;

/** Returns the innermost code of a failed connection. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const inner = error instanceof AggregateError ? error.errors[0] : error.cause;
  const { code } = error as { code?: unknown };
  return codeOf(inner) ?? (typeof code === 'string' ? code : CODE_IN_TEXT.exec(error.message)?.[1]);
}

/** Explains why a connection failed, as the end of a sentence; undefined for any other error. */
export function connectionFailure(error: unknown): string | undefined {
  const code = codeOf(error);
  const [, say] = CONNECTION.find(([pattern]) => code !== undefined && pattern.test(code)) ?? [];
  return say && code !== undefined ? say(code) : undefined;
}

/** Explains why an image source does not work. */
export function imageFailure(config: ImagesConfig, error: unknown): string {
  const at = config.type === 'folder' ? 'images.path' : `${config.endpoint} (images.endpoint)`;
  const connection = connectionFailure(error);
  if (connection) return `${at} cannot be reached: ${connection}`;
  const code = codeOf(error);
  if (code === 'ENOENT') return `${at} is not there`;
  if (code === 'EACCES' || code === 'EPERM')
    return `${at} may not be read by the user that this process runs as`;
  const cause = causeOf(error);
  const [, endpoint, status] = /^(.*) answered (\d{3})/.exec(cause ?? '') ?? [];
  if (endpoint === 'token endpoint') {
    return `images.authentication.tokenUrl answered ${status}: it does not accept the client_id, client_secret or scope`;
  }
  if (status === '401' || status === '403') {
    return `${at} answered ${status}: it does not accept what images.authentication says`;
  }
  if (status === '404') return `${at} answered 404: it is not the root of a DICOMweb server`;
  if (status) return `${at} answered ${status}`;
  return `${at}: ${error instanceof Fault ? error.message : 'it failed'}${cause ? ` (${cause})` : ''}`;
}

/** Returns the message of the innermost cause. A parser's message is left out: it may quote a patient's record. */
function causeOf(error: unknown): string | undefined {
  const { cause } = (error ?? {}) as { cause?: unknown };
  return cause instanceof Error && !(cause instanceof SyntaxError)
    ? (causeOf(cause) ?? cause.message)
    : undefined;
}
