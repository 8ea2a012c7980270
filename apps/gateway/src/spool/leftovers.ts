import path from 'node:path';
import type { BeatAnswer } from '@vendo/ledger-api';
import { Leftover } from './leftover.js';
import type { AppendToLog } from './partition-lane.js';
import { HEADER_FILE, SpoolHeader, spoolsFolder } from './spool-folder.js';
import type { SpoolParts } from './spool-parts.js';
import { writerIsGone } from './writer-process.js';

/** Spools shipped on at once; each may keep one lane buffer per partition in memory. */
const SHIPPING_AT_ONCE = 4;
/** What one beat may ask for (the schema's limit); the others have their turn when these are at their end. */
const ASK_MAX = 1_000;
const SPOOL_FOLDER = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export interface LeftoversOptions {
  dataDir: string;
  host: string;
  /** This process's own spool, which is none. */
  ownId: string;
  append: AppendToLog;
}

/** What earlier processes of this machine left in the own data folder. */
export class Leftovers {
  private found: Leftover[] = [];
  /** Spools that were left alone because their writer lived when it was looked for. */
  private alive: SpoolHeader[] = [];
  private settling: Promise<void> = Promise.resolve();
  private isSettling = false;
  private stopped = false;

  constructor(
    private readonly options: LeftoversOptions,
    private readonly parts: SpoolParts,
  ) {}

  get count(): number {
    return this.found.length;
  }

  /** Bytes that the ledger has not been seen to have applied to their end. */
  get bytes(): number {
    return this.found.reduce((sum, leftover) => sum + leftover.bytes, 0);
  }

  /** Looks through the data folder; only spools whose writer is gone are taken. */
  async find(): Promise<void> {
    const root = spoolsFolder(this.options.dataDir);
    for (const { name } of await this.parts.disk.list(root)) {
      if (name === this.options.ownId || !SPOOL_FOLDER.test(name)) continue;
      const header = await this.headerOf(name);
      if (header === null) continue;
      if (this.writerIsGone(header)) await this.take(name);
      else this.leaveAlone(header);
    }
  }

  /** The spools whose marks the next beat must ask for. */
  asking(): string[] {
    return this.found
      .filter(({ isDue }) => isDue)
      .slice(0, ASK_MAX)
      .map(({ id }) => id);
  }

  /** Takes the marks of a beat's answer; at most one answer is worked on at a time. */
  marked(asked: readonly string[], marks: BeatAnswer['marks']): void {
    if (this.isSettling || this.stopped) return;
    this.isSettling = true;
    this.settling = this.goOn(asked, marks).finally(() => {
      this.isSettling = false;
    });
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.settling;
    await Promise.all(this.found.map((leftover) => leftover.stop()));
  }

  private async goOn(asked: readonly string[], marks: BeatAnswer['marks']): Promise<void> {
    await this.takeWhoseWriterDied();
    for (const leftover of this.found.filter(({ id }) => asked.includes(id))) {
      try {
        if (leftover.isShipping) await leftover.settle(marks[leftover.id] ?? {});
        else if (this.hasPlace) await leftover.ship(marks[leftover.id] ?? {});
      } catch (thrown) {
        this.parts.logger.error(
          { spool: leftover.id, err: thrown },
          'a leftover spool could not be worked on',
        );
      }
    }
    this.found = this.found.filter(({ isDeleted }) => !isDeleted);
  }

  private get hasPlace(): boolean {
    return this.found.filter(({ isBusy }) => isBusy).length < SHIPPING_AT_ONCE;
  }

  /** A writer of an earlier run may outlive our start by a moment; nobody else would ship what it leaves. */
  private async takeWhoseWriterDied(): Promise<void> {
    const dead = this.alive.filter((header) => this.writerIsGone(header));
    this.alive = this.alive.filter((header) => !dead.includes(header));
    for (const { spool_id } of dead) {
      try {
        // A writer that ended well has taken its folder along.
        if ((await this.headerText(spool_id)) !== null) await this.take(spool_id);
      } catch (thrown) {
        this.parts.logger.error({ spool: spool_id, err: thrown }, 'a leftover spool could not be read');
      }
    }
  }

  private async take(id: string): Promise<void> {
    const { append, dataDir } = this.options;
    const leftover = new Leftover(id, this.folderOf(id), dataDir, append, this.parts);
    await leftover.measure();
    this.found.push(leftover);
  }

  private leaveAlone(header: SpoolHeader): void {
    this.alive.push(header);
    this.parts.logger.warn(
      { spool: header.spool_id, host: header.host },
      'a spool whose writer may live is left alone',
    );
  }

  private writerIsGone(header: SpoolHeader): boolean {
    return writerIsGone(header, this.options.host, this.parts.processes);
  }

  /** Null, with an alert, when it is not readable as this spool's. */
  private async headerOf(id: string): Promise<SpoolHeader | null> {
    const folder = this.folderOf(id);
    const header = parseHeader(await this.headerText(id));
    if (header?.spool_id === id) return header;
    this.parts.logger.error(
      { alert: 'spool_header_damaged', folder },
      'a spool without a readable header is left alone',
    );
    return null;
  }

  private headerText(id: string): Promise<string | null> {
    return this.parts.disk.readText(path.join(this.folderOf(id), HEADER_FILE));
  }

  private folderOf(id: string): string {
    return path.join(spoolsFolder(this.options.dataDir), id);
  }
}

function parseHeader(text: string | null): SpoolHeader | null {
  try {
    return SpoolHeader.safeParse(JSON.parse(text ?? '')).data ?? null;
  } catch {
    return null;
  }
}
