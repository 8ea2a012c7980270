import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { EventLog } from '@vendo/event-log';
import { type EventRecord, NUMBER_HEADER, SPOOL_HEADER, shardOf, type VendoEvent } from '@vendo/events';
import type { Beat, BeatAnswer, LedgerClient } from '@vendo/ledger-api';
import { createLogger, Metrics, SystemClock } from '@vendo/runtime';
import { v7 as uuidv7 } from 'uuid';
import { FileSpool } from './file.spool.js';
import { FileSpoolDisk } from './file.spool-disk.js';
import { SpoolMetrics } from './spool-metrics.js';
import type { SpoolParts } from './spool-parts.js';
import { SpoolShipping } from './spool-shipping.js';
import { ProcessTable } from './writer-process.js';

/** Everything around the spool for its specs: real files in a temporary folder, a log and a ledger in memory. */
export class SpoolWorld {
  readonly dataDir = mkdtempSync(path.join(tmpdir(), 'vendo-spool-'));
  readonly disk = new FaultyDisk();
  readonly processes = new FakeProcesses();
  readonly clock = new HastyClock();
  readonly log = new FakeLog();
  readonly ledger = new FakeLedger(this.log);
  readonly metrics = new Metrics('spec');
  readonly host = 'spec-host';
  readonly parts: SpoolParts;
  private readonly running: SpoolShipping[] = [];
  private readonly opened: FileSpool[] = [];

  constructor() {
    this.parts = {
      disk: this.disk,
      processes: this.processes,
      clock: this.clock,
      logger: createLogger('spec', 'silent'),
      metrics: new SpoolMetrics(this.metrics),
    };
  }

  /** A process start: a new spool, written by a process that lives until `kill`. */
  openSpool({ maxBytes = 1_000_000_000, segmentBytes = 4_194_304 } = {}): FileSpool {
    this.processes.restart();
    const { dataDir, host } = this;
    const spool = new FileSpool({ id: uuidv7(), dataDir, host, maxBytes, segmentBytes }, this.parts);
    this.opened.push(spool);
    return spool;
  }

  async ship(spool: FileSpool, flushWithinMs = 2_000): Promise<SpoolShipping> {
    const { dataDir, host } = this;
    const metrics = new SpoolMetrics(new Metrics('spec'));
    const parts = { ...this.parts, metrics };
    const shipping = new SpoolShipping(
      spool,
      this.log,
      this.ledger as unknown as LedgerClient,
      { dataDir, host, flushWithinMs },
      parts,
    );
    this.running.push(shipping);
    await shipping.start((thrown) => {
      throw thrown;
    });
    return shipping;
  }

  /** What the ledger has applied of a spool, in its order per partition. */
  applied(spoolId: string): string[] {
    return this.ledger.applied.filter(({ spool }) => spool === spoolId).map(({ name }) => name);
  }

  async until(holds: () => boolean, what: string): Promise<void> {
    const endMs = Date.now() + 4_000;
    while (!holds()) {
      if (Date.now() > endMs) throw new Error(`timed out: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  async end(): Promise<void> {
    this.disk.fault = null;
    this.disk.syncFault = null;
    this.log.fails = () => false;
    await Promise.allSettled(this.running.map((shipping) => shipping.stop()));
    await Promise.allSettled(this.opened.map((spool) => spool.close()));
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}

/** The first of a row of tenants whose shard this is. */
function tenantOn(partition: number): string {
  for (let n = 0; ; n += 1) {
    const tenant = `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
    if (shardOf(tenant) === partition) return tenant;
  }
}

/** An event that is told apart by its name. */
export function eventNamed(name: string, partition = 0): VendoEvent {
  const tenantId = tenantOn(partition);
  return {
    id: name,
    type: 'HoldSettled.v1',
    tenantId,
    at: '2026-11-21T08:00:00.000Z',
    data: { hold_id: name, tenant_id: tenantId, subject: tenantId, cost_micros: 1, outcome: 'completed' },
  };
}

export function spoolError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: spec`), { code });
}

/** The real disk, which can be told to fail or to write short. */
export class FaultyDisk extends FileSpoolDisk {
  /** Called before each write with the bytes to write; throws, or returns how many are written. */
  fault: ((length: number) => number) | null = null;
  syncFault: (() => Promise<void>) | null = null;
  truncations = 0;

  override write(file: number, bytes: Buffer, position: number): number {
    return super.write(file, bytes.subarray(0, this.fault?.(bytes.length) ?? bytes.length), position);
  }

  override truncate(file: number, length: number): void {
    this.truncations += 1;
    super.truncate(file, length);
  }

  override async sync(file: number): Promise<void> {
    await this.syncFault?.();
    await super.sync(file);
  }
}

/** One process lives at a time; `restart` ends it and starts the next under the same pid, as containers do. */
export class FakeProcesses extends ProcessTable {
  bootId = 'boot-1';
  readonly pid = 1;
  /** A process that outlives the others. */
  alsoLiving: { pid: number; started: string } | null = null;
  private started = 0;

  restart(): void {
    this.started += 1;
  }

  startOf(pid: number): string | null {
    if (pid === this.alsoLiving?.pid) return this.alsoLiving.started;
    return pid === this.pid ? String(this.started) : null;
  }
}

/** Sleeps at most 3 ms; its wall clock can be moved. */
export class HastyClock extends SystemClock {
  aheadMs = 0;

  override wallMs(): number {
    return super.wallMs() + this.aheadMs;
  }

  override sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return super.sleep(Math.min(ms, 3), signal);
  }
}

export class FakeLog extends EventLog {
  readonly records: { partition: number; record: EventRecord }[] = [];
  appends = 0;
  overlaps = 0;
  /** True: an append takes 20 ms. */
  slow = false;
  /** Asked before each append; `after` stores the records and fails all the same. */
  fails: (partition: number) => boolean | 'after' = () => false;
  private readonly inFlight = new Set<number>();

  override async append(_topic: string, partition: number, records: readonly EventRecord[]): Promise<bigint> {
    this.appends += 1;
    if (this.inFlight.has(partition)) this.overlaps += 1;
    this.inFlight.add(partition);
    await new Promise((resolve) => (this.slow ? setTimeout(resolve, 20) : setImmediate(resolve)));
    this.inFlight.delete(partition);
    const fails = this.fails(partition);
    if (fails === true) throw new Error('the log is away');
    for (const record of records) this.records.push({ partition, record });
    if (fails === 'after') throw new Error('the answer was lost');
    return 1n;
  }

  override async createTopics(): Promise<void> {}
  override async ready(): Promise<void> {}
  override async close(): Promise<void> {}
  override head(): Promise<bigint> {
    throw new Error('not used');
  }
  override consume(): never {
    throw new Error('not used');
  }
}

interface Applied {
  spool: string;
  partition: number;
  number: number;
  /** The event's id, or `lost` for a RecordLost. */
  name: string;
}

/** Applies the log as the ledger does: a number when it is next, lower is a repeat, higher is a gap and dropped. */
export class FakeLedger {
  readonly applied: Applied[] = [];
  gaps = 0;
  /** False: the consumer stands still. */
  consumes = true;
  /** False: beats are not answered. */
  answers = true;
  beats: Beat[] = [];
  private readonly marks: BeatAnswer['marks'] = {};
  private read = 0;

  constructor(private readonly log: FakeLog) {}

  consume(): void {
    for (; this.read < this.log.records.length; this.read += 1) {
      const { partition, record } = this.log.records[this.read] as FakeLog['records'][number];
      const { [SPOOL_HEADER]: spool = '', [NUMBER_HEADER]: digits, ce_type, ce_id = '' } = record.headers;
      const number = Number(digits);
      this.marks[spool] ??= {};
      const ofSpool = this.marks[spool];
      const mark = ofSpool[partition] ?? 0;
      if (number > mark + 1) this.gaps += 1;
      if (number !== mark + 1) continue;
      ofSpool[partition] = number;
      this.applied.push({ spool, partition, number, name: ce_type === 'RecordLost.v1' ? 'lost' : ce_id });
    }
  }

  async beat(beat: Beat): Promise<BeatAnswer> {
    this.beats.push(beat);
    if (!this.answers) throw new Error('the ledger is away');
    if (this.consumes) this.consume();
    const wanted = [beat.spool.id, ...beat.ask];
    return {
      marks: Object.fromEntries(
        wanted.flatMap((id) => (this.marks[id] ? [[id, { ...this.marks[id] }]] : [])),
      ),
      consumed: {},
      owners: {},
      adopted: false,
    };
  }
}
