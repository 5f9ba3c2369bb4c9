/** Reads and writes the address of the page. */
import type { Layout } from '../../domain/series/hanging.ts';

/** The screens of a narrow page; a wide page shows all. */
export type Screen = 'patient' | 'timeline' | 'stage';

export interface Address {
  tenant: string;
  /** Known to this tab: read of links of earlier versions, and never written. */
  patient?: string;
  /** Study Instance UID, or the id of its resource. */
  study?: string;
  /** Series Instance UID. */
  series?: string;
  /** Key of a stack, for a series with several. */
  stack?: string;
  /** From 1. */
  image?: number;
  layout?: Layout;
  window?: { centre: number; width: number };
  /** The study that is shown beside this one, of the same patient. */
  beside?: Beside;
  screen?: Screen;
}

export interface Beside {
  /** Study Instance UID. */
  study: string;
  /** Series Instance UID. */
  series?: string | undefined;
  /** From 1. */
  image?: number | undefined;
}

const SCREENS: readonly string[] = ['patient', 'timeline', 'stage'] satisfies Screen[];
const LAYOUTS: readonly string[] = ['1x1', '1x2', '2x2'] satisfies Layout[];

/**
 * Reads an address; what it does not understand is left out.
 * @param home the tenant of an address that names none
 */
export function parseAddress(query: URLSearchParams, home = 'demo'): Address {
  const named = (name: string) => query.get(name) || undefined;
  const image = Number(query.get('image'));
  const [centre, width] = (query.get('window') ?? '').split('/').map(Number);
  const [layout, screen] = [query.get('layout') ?? '', query.get('screen') ?? ''];
  return definedOnly({
    tenant: named('tenant') ?? home,
    patient: named('patient'),
    study: named('study'),
    series: named('series'),
    stack: named('stack'),
    image: Number.isInteger(image) && image > 0 ? image : undefined,
    layout: LAYOUTS.includes(layout) ? (layout as Layout) : undefined,
    window:
      Number.isFinite(centre) && Number.isFinite(width) && width! > 0
        ? { centre: centre!, width: width! }
        : undefined,
    beside: besideOf(query.get('beside') ?? ''),
    screen: SCREENS.includes(screen) ? (screen as Screen) : undefined,
  });
}

/** Writes an address, without its patient, as a query string's parameters: the same place always in the same words. */
export function formatAddress(address: Address): URLSearchParams {
  const { tenant, study, series, stack, layout, screen, image, window, beside } = address;
  const texts = definedOnly({ tenant, study, series, stack, layout, screen });
  const query = new URLSearchParams(texts as Record<string, string>);
  if (image !== undefined) query.set('image', String(image));
  if (window) query.set('window', `${rounded(window.centre)}/${rounded(window.width)}`);
  if (beside) query.set('beside', formatBeside(beside));
  return query;
}

/** Reads `study[/series[/image]]`. */
function besideOf(text: string): Beside | undefined {
  const [study, series, image] = text.split('/');
  if (!study) return undefined;
  const number = Number(image);
  return definedOnly<Beside>({
    study,
    series: series || undefined,
    image: series && Number.isInteger(number) && number > 0 ? number : undefined,
  });
}

function formatBeside({ study, series, image }: Beside): string {
  return [study, series, series && image].filter((part) => part !== undefined).join('/');
}

/** Returns the address after a change. What hangs on a changed member goes: another patient has other studies. */
export function changedAddress(address: Address, changes: Partial<Address>): Address {
  const order = ['tenant', 'patient', 'study', 'series', 'stack', 'image'] as const;
  const first = order.findIndex((name) => name in changes && changes[name] !== address[name]);
  const kept = { ...address };
  if (first >= 0) for (const name of order.slice(first + 1)) if (name !== 'tenant') delete kept[name];
  if (first >= 0 && first < order.indexOf('stack')) delete kept.window;
  if (first >= 0 && first <= order.indexOf('study') && kept.beside) {
    // A place that was divided for two studies is not for one.
    delete kept.beside;
    delete kept.layout;
  }
  if (first >= 0 && first < order.indexOf('study')) delete kept.screen;
  return definedOnly({ ...kept, ...changes });
}

/** True if the browser's Back has to return to the address before the change. */
export function isNewPage(before: Address, after: Address): boolean {
  if (before.beside?.study !== after.beside?.study) return true;
  return (['tenant', 'patient', 'study', 'screen'] as const).some((name) => before[name] !== after[name]);
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

function definedOnly<T extends object>(value: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;
}
