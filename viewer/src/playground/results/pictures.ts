import { formatAddress } from '../../state/browser/address.ts';
import { tenantIn, type PageFacts } from '../page-facts.ts';
import type { Access } from '../sign-in/access.svelte.ts';

/** Fetches a thumbnail. @throws Error if there is none */
export type LoadPicture = (url: string, signal: AbortSignal) => Promise<Blob>;

/** Returns a function that fetches thumbnails with the token of the page. */
export function pictureLoader(access: Pick<Access, 'fetch'>): LoadPicture {
  return async (url, signal) => {
    const response = await access.fetch(url, { headers: { accept: 'image/*' }, signal });
    if (!response.ok) throw new Error(`HTTP status ${response.status}`);
    return response.blob();
  };
}

/**
 * Returns the address in the viewer of the series that a thumbnail is of; undefined for what is no thumbnail of this tenant:
 * the token goes to no other place.
 */
export function viewerLink(url: unknown, facts: PageFacts): string | undefined {
  const { base, gateway } = facts;
  if (typeof url !== 'string' || !url.startsWith(`${base}/`) || url.includes('..')) return undefined;
  const found = /\/studies\/([\d.]+)\/series\/([\d.]+)(\/instances\/[\d.]+)?\/thumbnail$/.exec(url);
  if (!found) return undefined;
  return `${gateway}app/?${formatAddress({ tenant: tenantIn(facts), study: found[1]!, series: found[2]! })}`;
}

/** Returns the address in the viewer of the study that a cell names; undefined for another column, or an empty cell. */
export function studyLink(column: string, cell: unknown, facts: PageFacts): string | undefined {
  if (!/(^|\.)study_id$/.test(column) || typeof cell !== 'string' || cell === '') return undefined;
  return `${facts.gateway}app/?${formatAddress({ tenant: tenantIn(facts), study: cell })}`;
}
