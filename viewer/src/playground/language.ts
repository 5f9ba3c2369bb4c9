/** The language of the page, as the tab remembers it: a reload, a sign-in and the way back must not change it. */
import { linkedQuery, linkedSql } from './link.ts';
import type { PageFacts } from './page-facts.ts';

export type Language = 'graphql' | 'sql';

const KEY = 'playground-language';
/** The fragment whose link was opened. It stays in the address, but the tab has what was made of it since. */
const OPENED = 'playground-opened-link';

/** Returns the language to begin with, and the statement that a link brings into this tab for the first time. */
export function firstLanguage(
  page: URL,
  { analysis }: Pick<PageFacts, 'analysis'>,
  storage: Storage,
): { language: Language; statement: string | undefined } {
  const isOpened = storage.getItem(OPENED) === page.hash;
  storage.setItem(OPENED, page.hash);
  if (!analysis) return { language: 'graphql', statement: undefined };
  const statement = isOpened ? undefined : linkedSql(page);
  const brings = statement !== undefined ? 'sql' : !isOpened && linkedQuery(page) ? 'graphql' : undefined;
  const last = storage.getItem(KEY) === 'sql' ? 'sql' : 'graphql';
  if (brings) keepLanguage(brings, storage);
  return { language: brings ?? last, statement };
}

export function keepLanguage(language: Language, storage: Storage): void {
  storage.setItem(KEY, language);
}
