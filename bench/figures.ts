import os from 'node:os';

/** The load average tells whether others used the machine before the run. */
const LOAD_BEFORE = os.loadavg()[0] ?? 0;

/** One thing that must hold; `figure` and `most` have the same unit. */
export interface Budget {
  what: string;
  figure: number;
  /** The budget: the figure may not be above it. */
  most?: number;
  /** The budget: the figure may not be below it. */
  least?: number;
}

/** The value below which `share` (0 to 1) of the figures lie. Throws RangeError when there are none. */
export function quantile(figures: readonly number[], share: number): number {
  const sorted = figures.toSorted((a, b) => a - b);
  const found = sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  if (found === undefined) throw new RangeError('no figures');
  return found;
}

export function median(figures: readonly number[]): number {
  return quantile(figures, 0.5);
}

/** Two decimals at most, three significant digits at least. */
export function rounded(figure: number): number {
  return Math.abs(figure) >= 1 ? Math.round(figure * 100) / 100 : Number(figure.toPrecision(3));
}

/** Prints question, machine, figures and budgets, and sets the exit code: 1 when a budget is missed. */
export function report(question: string, figures: object, budgets: readonly Budget[]): void {
  const missed = budgets.filter(isMissed);
  const lines = [
    question,
    machine(),
    JSON.stringify(figures, (_, value) => (typeof value === 'number' ? rounded(value) : value), 2),
    ...budgets.map((budget) => `${isMissed(budget) ? 'MISSED' : 'held'}: ${told(budget)}`),
  ];
  process.stdout.write(`${lines.join('\n')}\n\n`);
  if (missed.length > 0) process.exitCode = 1;
}

function isMissed({ figure, most, least }: Budget): boolean {
  return !(figure <= (most ?? Number.POSITIVE_INFINITY) && figure >= (least ?? Number.NEGATIVE_INFINITY));
}

function told({ what, figure, most, least }: Budget): string {
  const limit = most === undefined ? `at least ${least}` : `at most ${most}`;
  return `${what}: ${rounded(figure)} (${limit})`;
}

function machine(): string {
  const cpus = os.cpus();
  const gigabytes = Math.round(os.totalmem() / 2 ** 30);
  return `${cpus[0]?.model.trim()}, ${cpus.length} cores, ${gigabytes} GB, Node ${process.version}, load before ${LOAD_BEFORE.toFixed(1)}`;
}
