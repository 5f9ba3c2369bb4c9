/** A picture that the server draws, as the URL of an `img`. */
export class Picture {
  url = $state<string>();
  failed = $state(false);
  #asking: AbortController | undefined;

  /** Asks for a picture; the one before goes. A picture that does not come is only `failed`: it is never the diagnostic image. */
  async load(ask: (signal: AbortSignal) => Promise<Blob>): Promise<void> {
    this.close();
    const asking = (this.#asking = new AbortController());
    try {
      const blob = await ask(asking.signal);
      if (!asking.signal.aborted) this.url = URL.createObjectURL(blob);
    } catch {
      if (!asking.signal.aborted) this.failed = true;
    }
  }

  close(): void {
    this.#asking?.abort();
    if (this.url !== undefined) URL.revokeObjectURL(this.url);
    this.url = undefined;
    this.failed = false;
  }
}
