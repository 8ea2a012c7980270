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
      const folder = path.join(root, name);
      const { append, dataDir } = this.options;
      if (!(await this.mayTake(name, folder))) continue;
      const leftover = new Leftover(name, folder, dataDir, append, this.parts);
      await leftover.measure();
      this.found.push(leftover);
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

  private async mayTake(name: string, folder: string): Promise<boolean> {
    const { logger, disk, processes } = this.parts;
    const header = parseHeader(await disk.readText(path.join(folder, HEADER_FILE)));
    if (header === null || header.spool_id !== name) {
      logger.error(
        { alert: 'spool_header_damaged', folder },
        'a spool without a readable header is left alone',
      );
      return false;
    }
    const isGone = writerIsGone(header, this.options.host, processes);
    if (!isGone)
      logger.warn({ spool: name, host: header.host }, 'a spool whose writer may live is left alone');
    return isGone;
  }
}

function parseHeader(text: string | null): SpoolHeader | null {
  try {
    return SpoolHeader.safeParse(JSON.parse(text ?? '')).data ?? null;
  } catch {
    return null;
  }
}
