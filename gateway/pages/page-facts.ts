/** Facts about this gateway in a page: without them it would have to ask before it signs in. No token is needed to read them. */
import type { Tenant } from '../../schema/tenant/tenant.ts';
import type { Authorizer } from '../smart/authorize.ts';
import { smartConfigurationOf, unlessFault } from '../smart/discovery/smart-configuration.ts';
import type { SmartConfiguration } from '../smart/discovery/ehr-configuration.ts';

/** Milliseconds that a page waits for what other servers know. */
const PATIENCE = 250;

/**
 * Returns a value that is here soon, or else undefined: a page does not wait for other servers.
 * @param patience milliseconds
 */
export async function ifSoon<T>(value: T | Promise<T>, patience = PATIENCE): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), patience);
  });
  try {
    return await Promise.race([value, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Returns undefined for a Fault, or when more time is needed: the page then asks by itself, and tells the reason. */
export async function smartIfKnown(
  tenant: Tenant,
  authorizer: Pick<Authorizer, 'smartConfiguration'>,
  baseUrl: string,
): Promise<SmartConfiguration | undefined> {
  const found: Promise<SmartConfiguration | undefined> = smartConfigurationOf(tenant, authorizer, baseUrl);
  return ifSoon(unlessFault(found, undefined));
}

/**
 * Writes facts into a page as a data block, which runs nothing and which the content security policy therefore allows.
 * @param id of the element
 */
export function withFacts(html: string, id: string, facts: object): string {
  // A value must not end the element.
  const json = JSON.stringify(facts).replaceAll('<', '\\u003c');
  const element = `<script type="application/json" id="${id}">${json}</script>`;
  return html.replace('</head>', () => `${element}</head>`);
}
