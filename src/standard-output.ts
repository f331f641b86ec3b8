// Standard output of commands that print for as long as somebody reads: who reads may leave, and may be slow.

/** Text that waits for a slow reader; more is not taken. */
const WAITING_MAX = 8 * 1024 * 1024;

export class StandardOutput {
  readonly #stream: NodeJS.WriteStream;
  readonly #gone = new AbortController();
  #failure: Error | null = null;

  constructor(stream: NodeJS.WriteStream = process.stdout) {
    this.#stream = stream;
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') this.#failure = error;
      this.#gone.abort();
    });
  }

  /** Aborted once nobody reads any more. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** False: the reader is too slow, or gone, and the text was not taken. */
  write(text: string): boolean {
    if (this.#gone.signal.aborted || this.#stream.writableLength > WAITING_MAX) return false;
    this.#stream.write(text);
    return true;
  }

  /** Resolves when everything was taken. A reader that left is no failure; a full disk is. */
  async end(): Promise<void> {
    if (!this.#gone.signal.aborted && this.#stream.writableLength > 0) {
      await new Promise<void>((resolve) => {
        this.#gone.signal.addEventListener('abort', () => resolve(), { once: true });
        this.#stream.write('', () => resolve());
      });
    }
    if (this.#failure) throw this.#failure;
  }
}
