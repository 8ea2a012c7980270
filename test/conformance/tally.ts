type Aspect = 'bytes' | 'billed';

interface Counts {
  passed: number;
  of: number;
}

/** Counts what was tried and what passed, by provider and kind of answer. */
export class Tally {
  private readonly rows = new Map<string, Record<Aspect, Counts>>();

  /** @returns to be called when it has passed. */
  begin(provider: string, kind: string, aspect: Aspect = 'bytes'): () => void {
    const name = `${provider.padEnd(12)}${kind.padEnd(12)}`;
    const row = this.rows.get(name) ?? { bytes: { passed: 0, of: 0 }, billed: { passed: 0, of: 0 } };
    this.rows.set(name, row);
    const counts = row[aspect];
    counts.of += 1;
    return () => {
      counts.passed += 1;
    };
  }

  /** A line for each provider and kind: answers that passed unchanged (or were refused), recordings that were billed exactly. */
  table(): string {
    const lines = [...this.rows].map(([name, { bytes, billed }]) =>
      `${name}${cell(bytes)}${billed.of === 0 ? '' : cell(billed)}`.trimEnd(),
    );
    const head = `${'provider'.padEnd(12)}${'kind'.padEnd(12)}${'answers'.padEnd(12)}billed`;
    return `\n${[head, ...lines].join('\n')}\n`;
  }
}

function cell({ passed, of }: Counts): string {
  return `${passed}/${of}`.padEnd(12);
}
