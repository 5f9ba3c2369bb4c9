/** The margins of printed pages, by CSS Paged Media: whose pages they are, what they are not for, and a ruler. */

export interface PageWords {
  /** Two lines. */
  who: readonly [string, string];
  date: string;
  purpose: string;
  ruler: string;
  /** With `PAGE` and `PAGES` in place of the numbers. */
  page: string;
}

/** Signs of no language that stand for the number of the page, and of all pages. */
export const [PAGE, PAGES] = ['\uE000', '\uE001'];
const COUNTERS: Readonly<Record<string, string>> = { [PAGE]: 'counter(page)', [PAGES]: 'counter(pages)' };

/** Returns a text as a string of CSS: no sign of it ends the string, its line, or the element of a style. */
export function cssString(text: string): string {
  return `"${text.replaceAll(/["\\<\p{Cc}]/gu, (sign) => `\\${sign.codePointAt(0)!.toString(16)} `)}"`;
}

/** Keeps a text of another direction from changing the order of what stands beside it (Unicode UAX #9 §2.4). */
export function isolated(text: string): string {
  return `\u2068${text.replaceAll(/\s+/g, ' ')}\u2069`;
}

/** Returns the style of pages. The paper is the person's choice; its margins leave room for what every page says. */
export function pageStyle({ who, date, purpose, ruler, page }: PageWords): string {
  const numbers = page.split(/([\uE000\uE001])/).map((part) => COUNTERS[part] ?? cssString(part));
  return `@page {
    size: portrait;
    margin: 22mm 12mm 20mm;
    font: 9pt/1.35 system-ui, sans-serif;
    color: #000;
    @top-left {
      content: ${who.map(cssString).join(' "\\a " ')};
      width: 130mm; text-align: left; vertical-align: bottom; padding-bottom: 4mm; white-space: pre-line; overflow: hidden;
    }
    @top-right { content: ${cssString(date)}; text-align: right; vertical-align: bottom; padding-bottom: 4mm; }
    @bottom-left {
      content: ${cssString(ruler)};
      width: 50mm; height: 12mm; margin: 4mm 0; padding-top: 1mm; border-top: 0.4mm solid #000;
      box-sizing: border-box; text-align: left; vertical-align: top;
    }
    @bottom-center { content: ${cssString(purpose)}; vertical-align: top; padding-top: 5.4mm; }
    @bottom-right { content: ${numbers.join(' ')}; text-align: right; vertical-align: top; padding-top: 5.4mm; }
  }`;
}

/** True if the browser knows the boxes of margins: in others the pages themselves say it. */
export function hasMarginBoxes(sheet: CSSStyleSheet): boolean {
  return sheet.cssRules[0]?.cssText.includes('@top-left') ?? false;
}
