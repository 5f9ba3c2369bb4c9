import { authorizedFetch, TENANT } from './sign-in.ts';

/** Fetches a picture with the token, which an `<img>` does not send. @returns the address of a blob, to be revoked */
export async function blobUrl(address: string): Promise<string> {
  const response = await authorizedFetch(address, { headers: { accept: 'image/jpeg' } });
  return URL.createObjectURL(await response.blob());
}

/** Gets a link to a frame of an instance. It works once, within a minute and without a token: an `<img>` can load it. */
export async function frameLink(wadoUrl: string, frame = 1): Promise<string> {
  const body = JSON.stringify({ path: `${wadoUrl}/frames/${frame}/rendered`, accept: 'image/png' });
  const headers = { 'content-type': 'application/json' };
  const response = await authorizedFetch(`${TENANT}/wado/links`, { method: 'POST', headers, body });
  return ((await response.json()) as { url: string }).url;
}
