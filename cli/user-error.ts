/** A problem the person at the keyboard can do something about: one clear sentence, and what to do. */
export class UserError extends Error {
  override readonly name: string = 'UserError';

  constructor(
    sentence: string,
    readonly whatToDo?: string,
    options?: ErrorOptions,
  ) {
    super(sentence, options);
  }

  /** What the command prints before it exits non-zero; no stack, since the reader can't change our code. */
  get text(): string {
    return this.whatToDo === undefined ? this.message : `${this.message}\n  ${this.whatToDo.replaceAll('\n', '\n  ')}`;
  }
}
