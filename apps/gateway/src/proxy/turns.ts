/**
 * Whose provider is ahead passes so many bytes and then waits for a turn of the event loop; so many answers have theirs
 * in one. Node alone would read 2 MiB a connection and turn, and thirty such answers would let everybody else wait for a
 * second at every step.
 */
const ANSWER_BYTES = 65_536;
const ANSWERS_PER_TURN = 4;

/** Lets answers that come faster than they can be read go on one after the other, and everybody else in between. */
export class Turns {
  private readonly waiting: (() => void)[] = [];
  private isScheduled = false;

  /** @param changed told when the `isOver` of this answer has changed. */
  open(changed: () => void): Turn {
    return new Turn((goOn) => {
      this.waiting.push(goOn);
      this.schedule();
    }, changed);
  }

  private schedule(): void {
    if (this.isScheduled || this.waiting.length === 0) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      for (const goOn of this.waiting.splice(0, ANSWERS_PER_TURN)) goOn();
      this.schedule();
    });
  }
}

/** Where one answer stands. */
export class Turn {
  /** Nothing more of it may come for now. */
  isOver = false;
  private taken = 0;

  constructor(
    private readonly wait: (goOn: () => void) => void,
    private readonly changed: () => void,
  ) {}

  /** Small chunks of many turns count together: a pause once in 64 KiB costs nothing, a look at each turn would. */
  take(bytes: number): void {
    this.taken += bytes;
    if (this.taken < ANSWER_BYTES || this.isOver) return;
    this.isOver = true;
    this.changed();
    this.wait(() => {
      this.isOver = false;
      this.taken = 0;
      this.changed();
    });
  }
}
