// A terminal that one command has for itself: drawn over and over, and given back as it was. Plain ANSI.
import type { EventEmitter } from 'node:events';

const ENTER = '\u001b[?1049h\u001b[?25l'; // the other screen, no cursor
const LEAVE = '\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const CLEAR_LINE_END = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';
const CTRL_C = '\u0003';
const CTRL_D = '\u0004';

export interface ScreenOutput extends EventEmitter {
  readonly columns: number;
  readonly rows: number;
  write(text: string): boolean;
}
export interface ScreenInput extends EventEmitter {
  readonly isTTY?: boolean;
  setRawMode?(isRaw: boolean): unknown;
  resume(): unknown;
  pause(): unknown;
}

export class Screen {
  readonly #output: ScreenOutput;
  readonly #input: ScreenInput;
  readonly #onQuit: () => void;
  #lines: (rows: number) => readonly string[] = () => [];
  #isOpen = false;

  /** onQuit: q, Ctrl-C or Ctrl-D was typed. Without a keyboard, signals are all that ends it. */
  constructor(output: ScreenOutput, input: ScreenInput, onQuit: () => void) {
    this.#output = output;
    this.#input = input;
    this.#onQuit = onQuit;
  }

  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#output.write(ENTER);
    this.#output.on('resize', this.#draw);
    if (this.#input.isTTY !== true) return;
    this.#input.setRawMode?.(true);
    this.#input.on('data', this.#typed);
    this.#input.resume();
  }

  /** Shows what `lines` gives for a number of rows; asked again when the window changes. */
  show(lines: (rows: number) => readonly string[]): void {
    this.#lines = lines;
    this.#draw();
  }

  /** Twice is fine, also from a handler of the process's end: nothing is awaited. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#output.off('resize', this.#draw);
    if (this.#input.isTTY === true) {
      this.#input.off('data', this.#typed);
      this.#input.setRawMode?.(false);
      this.#input.pause();
    }
    this.#output.write(LEAVE);
  }

  readonly #draw = (): void => {
    if (!this.#isOpen) return;
    const { columns, rows } = this.#output;
    const lines = this.#lines(rows)
      .slice(0, rows)
      .map((line) => fitted(line, columns) + CLEAR_LINE_END);
    this.#output.write(HOME + lines.join('\r\n') + CLEAR_BELOW);
  };

  readonly #typed = (data: Buffer | string): void => {
    if ([...data.toString()].some((key) => 'qQ'.includes(key) || key === CTRL_C || key === CTRL_D)) this.#onQuit();
  };
}

/** A line that is wider than the window would push the others out of it. */
function fitted(line: string, columns: number): string {
  const characters = [...line];
  return characters.length <= columns ? line : `${characters.slice(0, Math.max(0, columns - 1)).join('')}…`;
}
