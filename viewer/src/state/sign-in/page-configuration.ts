/** Facts that the gateway writes into the page about itself, so that the viewer need not ask before it signs in. */
import type { SmartServer } from './smart-server.ts';

export interface PageConfiguration {
  /** Base URL of the gateway, with a slash at the end. */
  base: string;
  /** Tenants that can be chosen. */
  tenants: readonly string[];
  /** The tenant of an address that names none. */
  defaultTenant?: string;
  /** True when people cannot add other servers. */
  onlyOwn?: true;
  /** SMART configuration of the tenant that the address names. */
  smart?: { tenant: string; configuration: SmartServer };
}

/** Returns the configuration in the page; undefined for a build that another web server serves, whose page has none. */
export function pageConfiguration(page: Document = document): PageConfiguration | undefined {
  const text = page.getElementById('viewer-configuration')?.textContent;
  return text ? (JSON.parse(text) as PageConfiguration) : undefined;
}
