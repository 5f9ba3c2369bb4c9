import type { SmartServer } from '../state/sign-in/smart-server.ts';

/** Facts that the gateway writes into the page. */
export interface PageFacts {
  /** Name of the tenant. */
  tenant: string;
  /** URL of everything of the tenant, without a slash at its end. */
  base: string;
  /** URL of the gateway, with a slash at its end. */
  gateway: string;
  /** The way to a token: none is needed, by sign-in where the page is a registered app, or only pasted. */
  access: 'none' | 'sign-in' | 'pasted';
  /** True if a user can sign in for all patients that the user may see, not only for one. */
  severalPatients?: boolean;
  /** The account as which an analyst signs in with one click, for all patients of a policy; of a demonstration only. */
  analyst?: string;
  /** True for the tenant whose backend service the start of the server prints a command for. */
  isDemonstration?: boolean;
  /** True if the tenant answers SQL (`$sql-run`). */
  analysis?: boolean;
  /** True if the tenant tells what a query costs and how it was answered. */
  explains: boolean;
  /** SMART configuration of the tenant, if it was known at once. */
  smart?: SmartServer;
}

/** Returns the facts in the page. @throws Error if no gateway served the page */
export function pageFacts(page: Document = document): PageFacts {
  const text = page.getElementById('playground-facts')?.textContent;
  if (!text) throw new Error('The page does not say where it is: open it from the gateway.');
  return JSON.parse(text) as PageFacts;
}

/** Returns the tenant as addresses of the viewer name it: a tenant in the URL has no name of its own. */
export function tenantIn({ base, gateway }: PageFacts): string {
  return base.slice(gateway.length);
}
