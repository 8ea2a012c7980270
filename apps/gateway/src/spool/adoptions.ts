import type { AdoptSpool, BeatAnswer, LedgerClient, SpoolRef } from '@vendo/ledger-api';
import { AdoptedSpool } from './adopted-spool.js';
import type { AppendToLog } from './partition-lane.js';
import { SpoolFolders } from './spool-folders.js';
import type { SpoolHeader } from './spool-header.js';
import type { SpoolParts } from './spool-parts.js';
import { proofThatGone } from './writer-process.js';

/** How often the data folder is looked through for spools whose writer is gone, milliseconds. */
export const LOOK_MS = 10_000;
/** How long a stop waits for what is under way, milliseconds. */
const STOP_MS = 500;
/** Spools shipped on at once; each may keep one lane buffer per partition in memory. */
const SHIPPING_AT_ONCE = 4;
/** What one beat may ask for (the schema's limit); the others have their turn when these are at their end. */
const ASK_MAX = 1_000;

type Proof = AdoptSpool['proof'];

/** The spool that this process writes, as far as adoptions must know it. */
export interface Adopter {
  readonly ref: SpoolRef;
  hasLeft(spoolId: string): boolean;
}

export interface AdoptionsOptions {
  dataDir: string;
  host: string;
  append: AppendToLog;
}

/** A spool that a beat asks the marks of; `isListed`: its files were looked at before. */
export interface AskedSpool {
  spool: AdoptedSpool;
  isListed: boolean;
}

/** What dead writers left in the data folder: taken by the ledger's compare-and-set and shipped on. */
export class Adoptions {
  private adopted: AdoptedSpool[] = [];
  /** In whose name they were adopted: our own spool of that time. */
  private adoptedAs: string;
  private readonly folders: SpoolFolders;
  /** Who was last told to own a spool. */
  private readonly owners = new Map<string, string>();
  /** Bytes of dead writers' spools that the ledger was not asked for yet. */
  private readonly unclaimed = new Map<string, number>();
  private lookedAtMs = Number.NEGATIVE_INFINITY;
  private working: Promise<void> | null = null;
  private stopped = false;

  constructor(
    private readonly own: Adopter,
    private readonly ledger: LedgerClient,
    private readonly options: AdoptionsOptions,
    private readonly parts: SpoolParts,
  ) {
    this.adoptedAs = own.ref.id;
    this.folders = new SpoolFolders(options.dataDir, parts);
  }

  get count(): number {
    return this.adopted.length;
  }

  /** Bytes that the ledger has not been seen to have applied to their end. */
  get bytes(): number {
    const unclaimed = [...this.unclaimed.values()].reduce((sum, bytes) => sum + bytes, 0);
    return this.adopted.reduce((sum, spool) => sum + spool.bytes, unclaimed);
  }

  /** Looks how much dead writers left here, which counts in the limit of the spool. Throws when the folder cannot be read. */
  async measure(): Promise<void> {
    for (const header of await this.others()) {
      if (this.proofAgainst(header.spool_id, header) !== 'process_gone') continue;
      const segments = await this.folders.segments(header.spool_id);
      this.unclaimed.set(
        header.spool_id,
        segments.reduce((sum, { bytes }) => sum + bytes, 0),
      );
    }
  }

  /** The spools whose marks the next beat must ask for. */
  asking(): AskedSpool[] {
    return this.adopted
      .filter(({ isDue }) => isDue)
      .slice(0, ASK_MAX)
      .map((spool) => ({ spool, isListed: spool.isShipping }));
  }

  /** Takes the answer of a beat; at most one is worked on at a time. */
  marked(asked: readonly AskedSpool[], answer: BeatAnswer): void {
    if (this.working !== null || this.stopped) return;
    this.working = this.goOn(asked, answer).finally(() => {
      this.working = null;
    });
  }

  /** Does not wait for a ledger that is away: what it would say is left to the next start. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.letGo();
    if (this.working !== null) await this.parts.clock.within(STOP_MS, this.working);
    await this.letGo();
  }

  private async goOn(asked: readonly AskedSpool[], { marks, consumed }: BeatAnswer): Promise<void> {
    if (this.adoptedAs !== this.own.ref.id) await this.beginAgain();
    for (const { spool, isListed } of asked) {
      if (!this.adopted.includes(spool)) continue;
      try {
        if (isListed) await spool.marked(marks[spool.id] ?? {}, consumed);
        else if (!spool.isShipping && this.hasPlace) await spool.ship();
      } catch (thrown) {
        this.parts.logger.error({ spool: spool.id, err: thrown }, 'an adopted spool could not be worked on');
      }
    }
    this.adopted = this.adopted.filter(({ isDeleted }) => !isDeleted);
    if (this.parts.clock.monotonicMs() - this.lookedAtMs >= LOOK_MS) await this.look();
  }

  private get hasPlace(): boolean {
    return this.adopted.filter(({ isBusy }) => isBusy).length < SHIPPING_AT_ONCE;
  }

  /** Our own spool was adopted: what we had adopted in its name is taken again in the name of the next one. */
  private async beginAgain(): Promise<void> {
    await this.letGo();
    this.adopted = [];
    this.adoptedAs = this.own.ref.id;
    this.lookedAtMs = Number.NEGATIVE_INFINITY;
  }

  private async letGo(): Promise<void> {
    await Promise.all(this.adopted.map((spool) => spool.stop()));
  }

  /** Looks through the data folder and adopts what may be adopted; again with the next beat when the ledger did not answer. */
  private async look(): Promise<void> {
    const startedMs = this.parts.clock.monotonicMs();
    try {
      const others = await this.others();
      for (const header of others) {
        if (this.stopped) return;
        if (await this.claim(header)) await this.take(header);
      }
      const here = new Set(others.map(({ spool_id }) => spool_id));
      for (const id of this.owners.keys()) if (!here.has(id)) this.owners.delete(id);
      this.unclaimed.clear();
      this.lookedAtMs = startedMs;
    } catch (thrown) {
      this.parts.logger.warn({ err: thrown }, 'the spools of dead writers could not be looked through');
    }
  }

  /** Who wrote what is here, without our own spool and what we have adopted. */
  private async others(): Promise<SpoolHeader[]> {
    const ours = new Set([this.own.ref.id, ...this.adopted.map(({ id }) => id)]);
    return (await this.folders.headers()).filter(({ spool_id }) => !ours.has(spool_id));
  }

  /**
   * Asks the ledger for a spool, in the name of the writer's successor, or of its adopter's when that one is gone as
   * well. Says whether it is ours.
   */
  private async claim(header: SpoolHeader): Promise<boolean> {
    const { spool_id } = header;
    const writerProof = this.proofAgainst(spool_id, header);
    if (writerProof === null) return false;
    for (let asked = 0; asked < 2; asked += 1) {
      const owner = this.owners.get(spool_id) ?? null;
      const proof =
        owner === null ? writerProof : this.proofAgainst(owner, await this.folders.headerOf(owner));
      if (proof === null) return false;
      const { adopted, owner: found } = await this.ledger.adopt({
        spool: { id: spool_id, host: header.host },
        adopter: this.own.ref,
        expected_owner: owner,
        proof,
      });
      if (adopted || found === this.own.ref.id) return true;
      if (found === owner) return false;
      if (found === null) this.owners.delete(spool_id);
      else this.owners.set(spool_id, found);
    }
    return false;
  }

  /** Null when the process of that spool lives. A folder that is gone tells nothing: only silence can. */
  private proofAgainst(spoolId: string, header: SpoolHeader | null): Proof | null {
    if (this.own.hasLeft(spoolId)) return 'process_gone';
    if (header === null) return 'silence';
    return proofThatGone(header, this.options.host, this.parts.processes);
  }

  private async take({ spool_id, host }: SpoolHeader): Promise<void> {
    const spool = new AdoptedSpool(spool_id, this.folders, this.options.append, this.parts);
    await spool.measure();
    this.owners.delete(spool_id);
    this.unclaimed.delete(spool_id);
    this.adopted.push(spool);
    this.parts.metrics.adoptions.inc();
    this.parts.logger.info({ spool: spool_id, host }, 'the spool of a dead writer is adopted');
  }
}
