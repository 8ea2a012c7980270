import type { VendoEvent } from '@vendo/events';
import type { SpoolRef } from '@vendo/ledger-api';
import { recordsOf } from './frame.js';
import { Spool } from './spool.js';
import type { WrittenSpool } from './written-spool.js';

/** The spool of this process as the rooms around it see it: one after the other, should another process adopt one. */
export class OwnSpool extends Spool {
  private current: WrittenSpool;
  private isStranded = false;
  private readonly former = new Set<string>();

  /** @param open makes a new spool. Throws when that fails: a gateway without a spool must not start. */
  constructor(private readonly open: () => WrittenSpool) {
    super();
    this.current = open();
  }

  /** The one that is written now. */
  get writing(): WrittenSpool {
    return this.current;
  }

  override get ref(): SpoolRef {
    return this.current.ref;
  }

  override append(events: readonly VendoEvent[]): boolean {
    return this.current.append(events);
  }

  override synced(): Promise<void> | null {
    return this.current.synced();
  }

  override refusal(): string | null {
    return this.isStranded ? 'the spool was adopted and no new one could be opened' : this.current.refusal();
  }

  /** Whether this process has written that spool and writes it no more. */
  hasLeft(spoolId: string): boolean {
    return this.former.has(spoolId);
  }

  /**
   * Another process has adopted the spool: opens a new one, writes there again what the adopter may not have read, and
   * goes on there; nothing comes between. Ends count once per hold, so that what both report is harmless.
   * Throws when no new one can be opened: new calls are refused until it succeeds.
   */
  move(): void {
    this.isStranded = true;
    const next = this.open();
    const left = this.current;
    for (const frame of left.unproven()) next.put(frame.partition, recordsOf(frame));
    this.former.add(left.id);
    this.current = next;
    this.isStranded = false;
    void left.abandon();
  }
}
