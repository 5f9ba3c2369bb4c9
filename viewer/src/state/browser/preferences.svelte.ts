import { PLACES, type Layout } from '../../domain/series/hanging.ts';
import { isLocale, overwriteGetLocale, type Locale } from '../../messages/compiled/runtime.js';
import type { Wording } from '../../messages/modalities.ts';
import { storageIfAllowed } from './browser-storage.ts';

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'viewer.preferences';

/** A person's choices for this browser: no data of a patient. */
export class Preferences {
  language = $state<Locale>('en');
  theme = $state<Theme>('system');
  /** The words of a person who has not chosen. */
  usualWording = $state<Wording>('plain');
  #wording = $state<Wording>();
  /** The person's division of the stage for a modality. */
  layouts = $state.raw<Readonly<Record<string, Layout>>>({});
  readonly #storage: Storage | undefined;

  /**
   * @param storage undefined where the browser refuses it: then choices last as long as the page
   * @param languages of the browser, best first
   */
  constructor(
    storage = storageIfAllowed('localStorage'),
    languages: readonly string[] = navigator.languages,
  ) {
    this.#storage = storage;
    const stored = parsed(storage?.getItem(KEY));
    this.language = firstLocale([stored['language'], ...languages]) ?? 'en';
    if (stored['theme'] === 'light' || stored['theme'] === 'dark') this.theme = stored['theme'];
    if (stored['wording'] === 'plain' || stored['wording'] === 'clinical') this.#wording = stored['wording'];
    this.layouts = layoutsOf(stored['layouts']);
    overwriteGetLocale(() => this.language);
  }

  get wording(): Wording {
    return this.#wording ?? this.usualWording;
  }

  /** Changes choices, and keeps them. */
  set(changes: Partial<Pick<Preferences, 'language' | 'theme' | 'wording' | 'layouts'>>): void {
    const { wording = this.#wording, ...others } = changes;
    this.#wording = wording;
    Object.assign(this, others);
    const { language, theme, layouts } = this;
    try {
      this.#storage?.setItem(KEY, JSON.stringify({ language, theme, wording, layouts }));
    } catch {
      // A full or forbidden storage: the choice lasts as long as the page.
    }
  }
}

function firstLocale(languages: readonly unknown[]): Locale | undefined {
  return languages
    .map((language) => (typeof language === 'string' ? language.toLowerCase().split('-')[0] : undefined))
    .find((language): language is Locale => isLocale(language));
}

/** Keeps what is a layout. */
function layoutsOf(stored: unknown): Record<string, Layout> {
  const entries = typeof stored === 'object' && stored !== null ? Object.entries(stored) : [];
  return Object.fromEntries(entries.filter(([, layout]) => Object.hasOwn(PLACES, String(layout)))) as Record<
    string,
    Layout
  >;
}

function parsed(text: string | null | undefined): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text ?? '{}');
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
