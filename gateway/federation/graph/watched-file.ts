import { repeatedly } from '../../../schema/process/repeatedly.ts';
import { readFile } from 'node:fs/promises';

/**
 * Reads a file again and again, and reports each other content once. It compares contents: Kubernetes replaces a file by
 * another link, and not every volume tells of changes. A content counts when it is read twice, because a program may be
 * writing the file. The creator closes it.
 */
export class WatchedFile {
  readonly #path: string;
  readonly #onChange: (content: string | Error) => Promise<void>;
  readonly #ending = new AbortController();
  #seen: string;
  #reported: string;

  /**
   * @param content that is known
   * @param onChange is called with another content, or with the error of a file that cannot be read
   */
  constructor(path: string, content: string, onChange: (content: string | Error) => Promise<void>) {
    this.#path = path;
    this.#seen = this.#reported = content;
    this.#onChange = onChange;
  }

  /** Watches until it is closed. @param milliseconds between two reads */
  watch(milliseconds: number): Promise<void> {
    return repeatedly(milliseconds, this.#ending.signal, () => this.#read());
  }

  close(): void {
    this.#ending.abort();
  }

  async #read(): Promise<void> {
    const content = await readFile(this.#path, 'utf8').catch((error: Error) => error);
    const text = String(content);
    const isSettled = text === this.#seen;
    this.#seen = text;
    if (!isSettled || text === this.#reported) return;
    this.#reported = text;
    await this.#onChange(content);
  }
}
