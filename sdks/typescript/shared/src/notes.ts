/** What a program remembers of its run, so that the next run goes on where this one was killed. */

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";

/** An object in a file, which is replaced as a whole: a kill leaves the former one or the new one. */
export class Notes<T extends object> {
  readonly #path: string;
  #values: Partial<T>;

  constructor(path: string) {
    this.#path = path;
    this.#values = existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Partial<T>) : {};
  }

  get values(): Readonly<Partial<T>> {
    return this.#values;
  }

  keep(values: Partial<T>): void {
    this.#values = { ...this.#values, ...values };
    const file = openSync(`${this.#path}.new`, "w");
    writeSync(file, JSON.stringify(this.#values));
    fsyncSync(file);
    closeSync(file);
    renameSync(`${this.#path}.new`, this.#path);
  }

  /** The run is over. */
  forget(): void {
    rmSync(this.#path, { force: true });
  }
}
