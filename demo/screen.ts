// How the demo prints: numbered scenes, one line for each thing that was tried, marks that can be told apart without colour.
const isTerminal = process.stdout.isTTY === true && !process.env['NO_COLOR'];
const paint = (code: number, text: string): string => (isTerminal ? `\x1b[${code}m${text}\x1b[0m` : text);

export class Screen {
  readonly #startMs = performance.now();
  readonly #failures: string[] = [];
  #scene = '';
  #scenes = 0;
  #passed = 0;

  say(text = ''): void {
    process.stdout.write(`${text}\n`);
  }

  scene(title: string, explanation = ''): void {
    this.#scene = title;
    this.say();
    this.say(paint(1, `${++this.#scenes}  ${title}`));
    if (explanation) this.say(paint(2, `   ${explanation}`));
  }

  /** What was tried and how it went. */
  result(isGood: boolean, what: string, found: string): void {
    if (isGood) this.#passed++;
    else this.#failures.push(`${this.#scene}: ${what}: ${found}`);
    this.say(`   ${isGood ? paint(32, 'ok') : paint(31, 'FAILED')}  ${what.padEnd(34)} ${found}`);
  }

  /** The output of a command, as one would see it. */
  command(command: string, output: string): void {
    this.say(paint(2, `   $ ${command}`));
    for (const line of output.trimEnd().split('\n')) this.say(`   ${line}`);
  }

  /** The summary; true when nothing failed. */
  end(): boolean {
    const seconds = ((performance.now() - this.#startMs) / 1000).toFixed(0);
    this.say();
    for (const failure of this.#failures) this.say(`${paint(31, 'FAILED')}  ${failure}`);
    const verdict = this.#failures.length === 0 ? paint(32, 'All went well') : paint(31, `${this.#failures.length} failed`);
    this.say(`${verdict}: ${this.#passed} of ${this.#passed + this.#failures.length} shown in ${seconds} s.`);
    return this.#failures.length === 0;
  }
}
