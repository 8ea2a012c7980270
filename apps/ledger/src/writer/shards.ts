import { VendoError } from '@vendo/errors';
import { SHARD_COUNT } from '@vendo/events';
import { atBoot, type Clock, type Health, type Logger } from '@vendo/runtime';
import type { Journal } from '../journal/journal.js';
import type { Lease, Leases, Member, Surroundings, Taking } from '../journal/leases.js';
import { LEASE_MS } from './book.js';
import type { Writer } from './writer.js';

const LOOK_EVERY_MS = 250;
/** After a taking: what else one that died had runs out within a second, and may have while this was loaded. */
const LOOK_AGAIN_MS = 25;
/** How long one that could not load what it took leaves it to the others. */
const UNFIT_MS = 10_000;
const ALL = Array.from({ length: SHARD_COUNT }, (_, shard) => shard);

export interface ShardsParts {
  leases: Leases;
  journal: Journal;
  writer: Writer;
  clock: Clock;
  health: Health;
  logger: Logger;
  /** An id made at each start of the process. */
  id: string;
  /** Where gateways reach this ledger; null until it listens. */
  url(): string | null;
  /** Told of each taking. */
  taken(takings: readonly Taking[]): void;
}

/**
 * Which shards this ledger owns. At least four times a second it looks who else lives and takes or gives up until each of the n
 * living has a nth of the shards: a shard moves only when it must, and those that are free go to whom they suit
 * (shard modulo n is the place among the living) first. Whatever two ledgers believe at once, the heads decide.
 */
export class Shards {
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();
  /** The origin of each shard's owner, as last seen in the database. */
  private urls = new Map<number, string>();
  private seenAtMs = Number.NEGATIVE_INFINITY;
  /** What it took last it could not load: until then it is not counted on. */
  private unfitUntilMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly parts: ShardsParts) {}

  /** Takes what is to be had and goes on looking. Throws as `atBoot`. */
  async start(): Promise<void> {
    this.parts.writer.start();
    await atBoot(() => this.look());
    this.running = this.run();
  }

  /** Decides what waits, and gives everything back at once. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
    const { writer, leases, logger } = this.parts;
    try {
      await writer.leave(writer.owned());
      // What is ours and not in memory too.
      await leases.giveBack(this.self(), ALL);
      await leases.leave(this.self());
    } catch (thrown) {
      logger.warn({ err: thrown }, 'the shards could not be given back: their leases run out');
    }
  }

  /**
   * The advertised origins of the shards' owners, normally at most a second old. Throws VendoError `billing_unavailable`
   * when the database was not seen for a lease's time.
   */
  owners(): ReadonlyMap<number, string> {
    if (this.parts.clock.monotonicMs() - this.seenAtMs < LEASE_MS) return this.urls;
    throw new VendoError('billing_unavailable');
  }

  /** Where to go with a command of this shard, when not here; null while nobody owns it. Throws as `owners`. */
  ownerOf(shard: number): string | null {
    const url = this.owners().get(shard) ?? null;
    // Ours when it was last seen, and lost or given up since.
    return url === this.parts.url() ? null : url;
  }

  /** What a single command of this shard is answered here when it is not ours. Throws as `owners`. */
  wrongOwner(shard: number): VendoError {
    return new VendoError('wrong_owner', undefined, { owner: this.ownerOf(shard) });
  }

  /** The database may know better than we do: until it was seen again nobody can say who owns what. */
  doubt(): void {
    this.seenAtMs = Number.NEGATIVE_INFINITY;
    this.parts.health.down('database', 'Postgres does not answer: reserves are refused');
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    for (let failing = false, took = false; !signal.aborted; ) {
      await this.parts.clock.sleep(took ? LOOK_AGAIN_MS : LOOK_EVERY_MS, signal);
      if (signal.aborted) return;
      took = false;
      try {
        took = await this.look();
        failing = false;
      } catch (thrown) {
        this.doubt();
        if (!failing) this.parts.logger.warn({ err: thrown }, 'shards: looking failed, trying again');
        failing = true;
      }
    }
  }

  /** One round. Resolves with whether it took anything. Throws when the database does not answer. */
  private async look(): Promise<boolean> {
    const { leases, clock, health } = this.parts;
    const seenAtMs = clock.monotonicMs();
    const around = await leases.look(this.self(), this.isFit());
    const { surplus, wanted } = this.plan(around);
    await this.giveUp(surplus);
    const taken = await this.take(wanted);
    this.note(around.leases.filter(({ shard }) => !surplus.includes(shard) && !taken.includes(shard)));
    this.seenAtMs = seenAtMs;
    health.up('database');
    return taken.length > 0;
  }

  private plan({ living, leases }: Surroundings): { surplus: number[]; wanted: number[] } {
    const { id, writer } = this.parts;
    const owned = writer.owned();
    const place = living.indexOf(id);
    const suits = (shard: number) => shard % living.length === place;
    const share = place < 0 ? owned.length : shareOf(place, living.length);
    const surplus = [...owned].sort((a, b) => Number(suits(b)) - Number(suits(a))).slice(share);
    const lacking = leases.filter(({ shard }) => !owned.includes(shard));
    // Kept from others that could load them otherwise, for as long as the lease is taken again and again.
    const yields = !this.isFit() && living.some((other) => other !== id);
    // Ours in the database and not in memory, or nobody's for too long: whatever the share is.
    const must = lacking.filter(({ owner, orphaned }) => orphaned || (owner === id && !yields));
    const free = lacking
      .filter((lease) => lease.free && !must.includes(lease))
      .sort((a, b) => Number(suits(b.shard)) - Number(suits(a.shard)))
      .slice(0, Math.max(0, share - owned.length - must.length));
    return { surplus, wanted: [...must, ...free].map(({ shard }) => shard) };
  }

  private async giveUp(shards: readonly number[]): Promise<void> {
    if (shards.length === 0) return;
    await this.parts.writer.leave(shards);
    for (const shard of shards) this.urls.delete(shard);
    await this.parts.leases.giveBack(this.self(), shards);
    this.parts.logger.info({ shards }, 'shards given back');
  }

  /** Returns what is in memory afterwards. */
  private async take(wanted: readonly number[]): Promise<number[]> {
    if (wanted.length === 0) return [];
    const { leases, journal, writer, clock, logger, taken } = this.parts;
    const sentAtMs = clock.monotonicMs();
    const takings = await leases.take(this.self(), wanted);
    if (takings.length === 0) return [];
    const loaded = await journal.load(takings).catch((thrown: unknown) => this.unfit(thrown));
    if (!loaded) return [];
    this.unfitUntilMs = Number.NEGATIVE_INFINITY;
    writer.add(loaded, sentAtMs);
    taken(takings);
    const shards = loaded.map(({ head }) => head.shard);
    logger.info({ shards }, 'shards taken');
    const url = this.parts.url();
    for (const shard of shards) if (url !== null) this.urls.set(shard, url);
    return shards;
  }

  private unfit(thrown: unknown): null {
    const { logger, clock } = this.parts;
    if (this.isFit()) logger.error({ err: thrown }, 'shards: what was taken could not be loaded');
    this.unfitUntilMs = clock.monotonicMs() + UNFIT_MS;
    return null;
  }

  private isFit(): boolean {
    return this.parts.clock.monotonicMs() >= this.unfitUntilMs;
  }

  /** Notes whose the other shards are. Our own that are not in memory are nobody's for now. */
  private note(leases: readonly Lease[]): void {
    const { id, writer, health } = this.parts;
    const owned = new Set(writer.owned());
    const lives = ({ shard, owner, free }: Lease) => (owner === id ? owned.has(shard) : !free);
    for (const lease of leases)
      if (lives(lease) && lease.ownerUrl !== null) this.urls.set(lease.shard, lease.ownerUrl);
      else this.urls.delete(lease.shard);
    const orphans = leases.filter((lease) => !lives(lease)).map(({ shard }) => shard);
    if (orphans.length > 0) health.down('shards', `shards without an owner: ${orphans.join(', ')}`);
    else health.up('shards');
  }

  private self(): Member {
    return { id: this.parts.id, url: this.parts.url() };
  }
}

/** How many shards the one at this place among the living owns: even, and the first ones have one more. */
function shareOf(place: number, living: number): number {
  return Math.floor(SHARD_COUNT / living) + (place < SHARD_COUNT % living ? 1 : 0);
}
