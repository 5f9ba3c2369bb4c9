import type { IncomingHttpHeaders } from 'node:http';

/**
 * Headers of an answer that nginx takes out. The gateway gives them their names for nginx, `x-accel-…`, when it answers: a
 * proxy between the imaging process and the gateway may be an nginx too, which would fetch the images itself.
 */
export const HANDOVER_HEADERS = {
  redirect: 'x-handover-redirect',
  accept: 'x-handover-accept',
  authorization: 'x-handover-authorization',
  /** In place of Cache-Control, which nginx would also add to the answer to a request that it sends again. */
  cacheControl: 'x-handover-cache-control',
} as const;

/**
 * The proxy in front of the gateway that fetches images from archives itself (nginx: X-Accel-Redirect): the gateway decides
 * who may have them, and the proxy moves the bytes.
 */
export interface HandoverProxy {
  /** Tells whether a request came through it: nobody else may get the headers of an answer, which have credentials. */
  isAsking(headers: IncomingHttpHeaders): boolean;
  /** Tells whether the gateway calls this URL directly, and not through a proxy of its own. */
  isDirect(url: string): boolean;
}
