import type { Owners } from './schemas.js';

/**
 * Which ledgers there are, which of them owns which shard, and which did not answer the last reserve. Everything here
 * was told by the configuration or by a ledger; the last word wins, and a wrong one costs a detour (`moved`).
 */
export class LedgerDirectory {
  private readonly owners = new Map<number, string>();
  private readonly silent = new Set<string>();

  /** @param seeds origins; @param onChange called after anything here has changed. */
  constructor(
    private readonly seeds: readonly string[],
    private readonly onChange: () => void,
  ) {}

  /** Every ledger that is named: the seeds, and whoever owns a shard. Those that answer come first. */
  get ledgers(): string[] {
    const named = [...new Set([...this.seeds, ...this.owners.values()])];
    return [
      ...named.filter((origin) => !this.silent.has(origin)),
      ...named.filter((origin) => this.silent.has(origin)),
    ];
  }

  isSilent(origin: string): boolean {
    return this.silent.has(origin);
  }

  /** Who is to be asked about the shard: its owner, or while that is unknown any ledger that answers. */
  ask(shard: number): string {
    return this.owners.get(shard) ?? this.ledgers[0] ?? '';
  }

  /** What a ledger says of all shards; one that nobody owns is absent. */
  learn(owners: Owners): void {
    const told = new Map<number, string>();
    for (const [shard, url] of Object.entries(owners)) {
      const origin = originOf(url);
      if (origin !== null) told.set(Number(shard), origin);
    }
    const same =
      told.size === this.owners.size &&
      [...told].every(([shard, origin]) => this.owners.get(shard) === origin);
    if (same) return;
    this.owners.clear();
    for (const [shard, origin] of told) this.owners.set(shard, origin);
    this.changed();
  }

  /** What a ledger that was asked about one shard says of its owner. */
  moved(shard: number, owner: string | null): void {
    const origin = owner === null ? null : originOf(owner);
    if (origin === null) this.owners.delete(shard);
    else this.owners.set(shard, origin);
    this.changed();
  }

  answered(origin: string): void {
    if (this.silent.delete(origin)) this.onChange();
  }

  failed(origin: string): void {
    this.silent.add(origin);
    this.onChange();
  }

  private changed(): void {
    const named = this.ledgers;
    for (const origin of this.silent) if (!named.includes(origin)) this.silent.delete(origin);
    this.onChange();
  }
}

/** The origin of a ledger's address; null for what is none. */
export function originOf(url: string): string | null {
  if (!URL.canParse(url)) return null;
  const { protocol, origin } = new URL(url);
  return protocol === 'http:' || protocol === 'https:' ? origin : null;
}
