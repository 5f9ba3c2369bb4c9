/** The playground of the built gateway in Chromium, as its tests use it: no other host answers. */
import type axe from 'axe-core';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, Page } from 'playwright-core';
import { expect } from 'vitest';
import type { GatewayProcess } from './setup/gateway.ts';

declare const window: { axe: typeof axe };

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

export const DESKTOP = { width: 1400, height: 900 };
export const PHONE = { width: 390, height: 844 };
export const HELEN = 'Helen Marie Castellanos';

/** Gets a token of the demonstration's backend service, with the secret that the start of the gateway names. */
export async function backendToken(gateway: Pick<GatewayProcess, 'url' | 'log'>): Promise<string> {
  const secret = readFileSync(/\$\(cat '([^']+)'\)/.exec(gateway.log())![1]!, 'utf8');
  const answer = await fetch(`${gateway.url}/demo/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`demo-analyst:${secret}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'system/*.rs' }),
  });
  return ((await answer.json()) as { access_token: string }).access_token;
}

export class PlaygroundPage implements AsyncDisposable {
  readonly page: Page;
  /** Address of the playground. */
  readonly address: string;
  /** Errors of scripts and of the console. */
  readonly complaints: string[] = [];
  /** Requests to other hosts. */
  readonly elsewhere: string[] = [];

  constructor(page: Page, address: string) {
    this.page = page;
    this.address = address;
    page.on('console', (message) => message.type() === 'error' && this.complaints.push(message.text()));
    page.on('pageerror', (error) => this.complaints.push(error.message));
  }

  /** Opens the playground of the demonstration in a context of its own. @param gateway its address */
  static async open(browser: Browser, gateway: string): Promise<PlaygroundPage> {
    const context = await browser.newContext({ viewport: DESKTOP });
    const playground = new PlaygroundPage(await context.newPage(), `${gateway}/demo/playground`);
    await context.route('**', (route) => {
      const url = route.request().url();
      const own = [gateway, gateway.replace('localhost', '127.0.0.1')];
      if (own.some((start) => url.startsWith(start)) || /^(data|blob):/.test(url)) return route.continue();
      playground.elsewhere.push(url);
      return route.abort();
    });
    await playground.goto(playground.address);
    return playground;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.page.context().close();
  }

  async goto(url: string): Promise<void> {
    await this.page.goto(url);
    await this.editorIsThere();
  }

  editorIsThere(): Promise<void> {
    return this.page.locator('.graphiql-query-editor .view-lines').first().waitFor();
  }

  /** Signs in as one of the demonstration's people. */
  async signIn(person: string): Promise<void> {
    await this.openSignIn();
    await this.page.getByRole('dialog').getByRole('button', { name: 'Sign in', exact: true }).click();
    await this.choose(person);
  }

  /** Opens the ways to a token. */
  openSignIn(): Promise<void> {
    return this.page.getByRole('button', { name: 'Sign in', exact: true }).click();
  }

  /** Takes a token that another program got. */
  async paste(token: string): Promise<void> {
    await this.openSignIn();
    await this.page.locator('#pasted[type=password]').fill(token);
    await this.page.getByRole('button', { name: 'Use this token' }).click();
  }

  /** Opens a query in a tab of its own, as a link does: the token stays. */
  async follow(query: string, variables?: object): Promise<void> {
    const parts = new URLSearchParams({ query, ...(variables && { variables: JSON.stringify(variables) }) });
    await this.page.evaluate((hash) => void (location.hash = hash), String(parts));
    await expect.poll(() => this.textOf('query-editor')).toContain(query.slice(0, 12));
  }

  /** Chooses a person at the authorization server, and comes back with a token. */
  async choose(person: string): Promise<void> {
    await this.page.getByRole('button', { name: person }).click();
    await this.page.getByRole('button', { name: 'Allow' }).click();
    await this.page.getByText('renewed by itself').waitFor();
    await this.editorIsThere();
  }

  /** The text of an editor of GraphiQL, as far as it is on the screen. */
  async textOf(part: 'query-editor' | 'editor-tool' | 'response'): Promise<string> {
    const text = await this.page.locator(`.graphiql-${part} .view-lines`).first().innerText();
    return text.replaceAll(/\s+/g, ' ');
  }

  /** The titles of the editor's tabs. */
  tabs(): Promise<string[]> {
    return this.page.locator('.graphiql-tabs .graphiql-tab-button').allInnerTexts();
  }

  chooseExample(question: string | RegExp): Promise<void> {
    return this.page.getByRole('button', { name: question }).click();
  }

  run(): Promise<void> {
    return this.page.getByRole('button', { name: 'Execute query' }).click();
  }

  /** The rows of the table that is shown, by the names of columns. */
  async rows(): Promise<Record<string, string>[]> {
    const texts = (selector: string) => this.page.locator(selector).allInnerTexts();
    const names = await texts('.results thead th button span');
    const cells = await texts('.results tbody td');
    return Array.from({ length: cells.length / Math.max(names.length, 1) }, (_, row) =>
      Object.fromEntries(names.map((name, at) => [name, cells[row * names.length + at]!.trim()])),
    );
  }

  /**
   * Returns the findings of axe, as `rule: place`, each once.
   * @param part that GraphiQL draws, or all else
   * @param colours false to leave out contrast
   */
  async violations(part: 'page' | 'graphiql', colours = true): Promise<string[]> {
    // Colours change over a moment, and a tooltip is no part of the page.
    await this.page.emulateMedia({ reducedMotion: 'reduce' });
    await this.page.mouse.move(0, 0);
    await this.page.waitForTimeout(200);
    await this.page.evaluate(readFileSync(AXE, 'utf8'));
    const found = await this.page.evaluate(
      async ([isGraphiql, contrast]) => {
        const { violations } = await window.axe.run(
          isGraphiql ? { include: ['.graphiql-container'] } : { exclude: ['.graphiql-container'] },
          { resultTypes: ['violations'], rules: { 'color-contrast': { enabled: contrast } } },
        );
        return violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target.join(' ')}`));
      },
      [part === 'graphiql', colours] as const,
    );
    return [...new Set(found)].sort();
  }
}
