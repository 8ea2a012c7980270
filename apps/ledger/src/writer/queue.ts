import type { Work } from './work.js';

interface Ticket {
  order: number;
  work: Work;
}

/** What waits for the next batch, in order of arrival: commands, and reports of the settlement consumer. */
export class WorkQueue {
  private commands: Ticket[] = [];
  private reports: Ticket[] = [];
  private arrived = 0;
  private wake: (() => void) | null = null;

  /** How many commands wait; reports are bounded by their consumers. */
  get waitingCommands(): number {
    return this.commands.length;
  }

  push(work: Work): void {
    const lane = work.kind === 'report' ? this.reports : this.commands;
    lane.push({ order: this.arrived++, work });
    this.wake?.();
  }

  /** Takes the next batch, at most `limit`; reports are at most half of it while commands wait. */
  take(limit: number): Work[] {
    const room = this.commands.length === 0 ? limit : Math.floor(limit / 2);
    const reports = this.reports.splice(0, room);
    const commands = this.commands.splice(0, limit - reports.length);
    return [...commands, ...reports].sort((a, b) => a.order - b.order).map(({ work }) => work);
  }

  /** Takes out what is no longer to be decided; the rest keeps its order. */
  keep(wanted: (work: Work) => boolean): void {
    this.commands = this.commands.filter(({ work }) => wanted(work));
    this.reports = this.reports.filter(({ work }) => wanted(work));
  }

  /** Empties the queue. */
  drain(): Work[] {
    const all = [...this.commands, ...this.reports].map(({ work }) => work);
    this.commands = [];
    this.reports = [];
    return all;
  }

  /** Resolves when something waits, or at `interrupt`. */
  async filled(): Promise<void> {
    if (this.commands.length + this.reports.length > 0) return;
    await new Promise<void>((resolve) => {
      this.wake = resolve;
    });
    this.wake = null;
  }

  interrupt(): void {
    this.wake?.();
  }
}
