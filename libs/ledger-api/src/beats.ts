import { VendoError } from '@vendo/errors';
import type { Clock } from '@vendo/runtime';
import type { LedgerDirectory } from './ledger-directory.js';
import type { Beat, BeatAnswer } from './schemas.js';

/** Beats come once a second, whoever hangs; a later answer joins those of the next beat. */
const WAIT_MS = 800;

/** Sends one beat to one ledger. Throws when there is no answer. */
export type SendBeat = (origin: string, beat: Beat) => Promise<BeatAnswer>;

/**
 * One beat to all ledgers. Each is asked by itself, every time, so one that is dead or hangs delays no other's beat, and
 * no later one.
 */
export class Beats {
  /** What was answered and not yet told, by ledger, with the question that it answers. */
  private readonly untold = new Map<string, { question: string; answer: BeatAnswer }>();

  constructor(
    private readonly directory: LedgerDirectory,
    private readonly send: SendBeat,
    private readonly clock: Clock,
  ) {}

  /** Throws VendoError `billing_unavailable` when no ledger has answered. */
  async beat(beat: Beat): Promise<BeatAnswer> {
    const question = JSON.stringify(beat);
    const asked = this.directory.ledgers.map((origin) => this.ask(origin, beat, question));
    await this.clock.within(WAIT_MS, Promise.all(asked));
    // An answer to another question says nothing of the spools that this one asks about.
    const answers = [...this.untold.values()].filter((one) => one.question === question);
    this.untold.clear();
    if (answers.length === 0) throw new VendoError('billing_unavailable');
    return merged(answers.map(({ answer }) => answer));
  }

  private async ask(origin: string, beat: Beat, question: string): Promise<void> {
    try {
      this.untold.set(origin, { question, answer: await this.send(origin, beat) });
    } catch {
      // Who does not answer is absent from the merged answer.
    }
  }
}

/** Offset and marks of a partition come from one answer, the one that has read furthest: they belong together. */
function merged(answers: readonly BeatAnswer[]): BeatAnswer {
  const whole: BeatAnswer = { marks: {}, consumed: {}, owners: {}, adopted: false };
  const sources = new Map<string, BeatAnswer>();
  for (const answer of answers) {
    Object.assign(whole.owners, answer.owners);
    whole.adopted ||= answer.adopted;
    for (const spool of Object.keys(answer.marks)) whole.marks[spool] ??= {};
    for (const [partition, next] of Object.entries(answer.consumed)) {
      if (next < (whole.consumed[partition] ?? 0)) continue;
      whole.consumed[partition] = next;
      sources.set(partition, answer);
    }
  }
  for (const [partition, { marks }] of sources)
    for (const [spool, numbers] of Object.entries(whole.marks)) {
      const number = marks[spool]?.[partition];
      if (number !== undefined) numbers[partition] = number;
    }
  return whole;
}
