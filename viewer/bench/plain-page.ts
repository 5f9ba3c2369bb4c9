/**
 * A page of Chromium that nobody watches. A tool for tests has the browser keep the bodies of all answers once more, up to
 * hundreds of megabytes in the process of the page.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'undici';
import { CHROMIUM } from '../../gateway/test/setup/chromium.ts';

interface Answer {
  id: number;
  result?: unknown;
  error?: { message: string };
}

export class PlainPage implements AsyncDisposable {
  readonly #browser: ChildProcess;
  readonly #profile: string;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #session: string | undefined;
  #asked = 0;

  private constructor(browser: ChildProcess, profile: string, socket: WebSocket) {
    [this.#browser, this.#profile, this.#socket] = [browser, profile, socket];
    socket.addEventListener('message', ({ data }) => {
      const answer = JSON.parse(String(data)) as Answer;
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    });
  }

  static async open(url: string, window: { width: number; height: number }): Promise<PlainPage> {
    const profile = await mkdtemp(join(tmpdir(), 'plain-page-'));
    const size = `--window-size=${window.width},${window.height}`;
    const own = ['--remote-debugging-port=0', `--user-data-dir=${profile}`, size];
    const browser = spawn(CHROMIUM.executablePath, [...CHROMIUM.args, ...own, url], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const socket = new WebSocket(await addressOf(browser));
    await once(socket, 'open');
    const page = new PlainPage(browser, profile, socket);
    const { targetInfos } = (await page.#send('Target.getTargets')) as {
      targetInfos: { targetId: string; type: string }[];
    };
    const { targetId } = targetInfos.find(({ type }) => type === 'page')!;
    const attached = await page.#send('Target.attachToTarget', { targetId, flatten: true });
    page.#session = (attached as { sessionId: string }).sessionId;
    return page;
  }

  /** Waits until an expression is true in the page. @throws Error after 60 seconds */
  async until(expression: string): Promise<void> {
    for (const end = Date.now() + 60_000; Date.now() < end; await delay(10)) {
      const asked = this.#send('Runtime.evaluate', { expression: `Boolean(${expression})` });
      // While the page is being opened there is nobody to ask.
      const answer = (await asked.catch(() => undefined)) as { result: { value?: boolean } } | undefined;
      if (answer?.result.value) return;
    }
    throw new Error(`It did not become true: ${expression}`);
  }

  async press(key: string, windowsVirtualKeyCode: number): Promise<void> {
    for (const type of ['rawKeyDown', 'keyUp'])
      await this.#send('Input.dispatchKeyEvent', { type, key, code: key, windowsVirtualKeyCode });
  }

  /** Returns the resident bytes of the page's process. */
  async memory(): Promise<number> {
    const { processInfo } = (await this.#send('SystemInfo.getProcessInfo', {}, false)) as {
      processInfo: { id: number; type: string }[];
    };
    const sizes = processInfo
      .filter(({ type }) => type === 'renderer')
      .map(async ({ id }) => /VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${id}/status`, 'utf8'))![1]);
    return 1024 * Math.max(...(await Promise.all(sizes)).map(Number));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    const ended = once(this.#browser, 'exit');
    this.#browser.kill();
    await ended;
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }

  /** @param ofPage false for a question to the browser */
  async #send(method: string, params: object = {}, ofPage = true): Promise<unknown> {
    const id = ++this.#asked;
    const sessionId = ofPage ? this.#session : undefined;
    const answered = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId && { sessionId }) }));
    const { result, error } = await answered;
    if (error) throw new Error(`${method}: ${error.message}`);
    return result;
  }
}

/** Returns the address of the browser's debugger, which it writes when it has started. */
function addressOf(browser: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let written = '';
    browser.stderr!.on('data', (chunk) => {
      written += String(chunk);
      const address = /DevTools listening on (\S+)/.exec(written)?.[1];
      if (address) resolve(address);
    });
    browser.once('exit', () => reject(new Error(`Chromium has not started: ${written}`)));
  });
}
