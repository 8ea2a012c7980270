import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { EventLog } from '@vendo/event-log';
import {
  type EventRecord,
  NUMBER_HEADER,
  SHARD_COUNT,
  SPOOL_HEADER,
  shardOf,
  type VendoEvent,
} from '@vendo/events';
import type { AdoptAnswer, AdoptSpool, Beat, BeatAnswer, LedgerClient } from '@vendo/ledger-api';
import { createLogger, Metrics, SystemClock } from '@vendo/runtime';
import { v7 as uuidv7 } from 'uuid';
import { FileSpool, type FileSpoolOptions } from './file.spool.js';
import { FileSpoolDisk } from './file.spool-disk.js';
import { OwnSpool } from './own-spool.js';
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
  readonly ledger = new FakeLedger(this.log, () => this.clock.monotonicMs());
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

  /** A process start: a new spool, written by a process that lives until the next start. */
  openSpool(options: Partial<FileSpoolOptions> = {}): FileSpool {
    this.processes.restart();
    return this.newSpool(options);
  }

  async ship(spool: FileSpool, flushWithinMs = 2_000): Promise<SpoolShipping> {
    const { dataDir, host } = this;
    const metrics = new SpoolMetrics(new Metrics('spec'));
    const parts = { ...this.parts, metrics };
    const spools = [spool];
    const own = new OwnSpool(() => spools.pop() ?? this.newSpool());
    const shipping = new SpoolShipping(
      own,
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

  private newSpool(options: Partial<FileSpoolOptions> = {}): FileSpool {
    const { dataDir, host } = this;
    const spool = new FileSpool(
      { id: uuidv7(), dataDir, host, maxBytes: 1_000_000_000, ...options },
      this.parts,
    );
    this.opened.push(spool);
    return spool;
  }

  /** What the ledger has applied of a spool, in its order per partition. */
  applied(spoolId: string): string[] {
    return this.ledger.applied.filter(({ spool }) => spool === spoolId).map(({ name }) => name);
  }

  async until(holds: () => boolean, what: string): Promise<void> {
    const endMs = Date.now() + 15_000;
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

/** Sleeps at most 3 ms; its two clocks can be moved forward. */
export class HastyClock extends SystemClock {
  wallAheadMs = 0;
  monotonicAheadMs = 0;

  override wallMs(): number {
    return super.wallMs() + this.wallAheadMs;
  }

  override monotonicMs(): number {
    return super.monotonicMs() + this.monotonicAheadMs;
  }

  override sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return super.sleep(Math.min(ms, 3), signal);
  }
}

interface LoggedRecord {
  partition: number;
  record: EventRecord;
  /** Acknowledged, and never seen by a reader. */
  isLost: boolean;
}

export class FakeLog extends EventLog {
  readonly records: LoggedRecord[] = [];
  appends = 0;
  overlaps = 0;
  /** True: an append takes 20 ms. */
  slow = false;
  /** Asked before each append; `after` stores the records and fails all the same. */
  fails: (partition: number) => boolean | 'after' = () => false;
  /** Asked for each record that is stored. */
  loses: (record: EventRecord, partition: number) => boolean = () => false;
  private readonly inFlight = new Set<number>();
  private readonly heads: number[] = [];

  override async append(_topic: string, partition: number, records: readonly EventRecord[]): Promise<bigint> {
    this.appends += 1;
    if (this.inFlight.has(partition)) this.overlaps += 1;
    this.inFlight.add(partition);
    await new Promise((resolve) => (this.slow ? setTimeout(resolve, 20) : setImmediate(resolve)));
    this.inFlight.delete(partition);
    const fails = this.fails(partition);
    if (fails === true) throw new Error('the log is away');
    // Offset 0 is the genesis record.
    const first = this.heads[partition] ?? 1;
    this.heads[partition] = first + records.length;
    for (const record of records)
      this.records.push({ partition, record, isLost: this.loses(record, partition) });
    if (fails === 'after') throw new Error('the answer was lost');
    return BigInt(first);
  }

  of(partition: number): LoggedRecord[] {
    return this.records.filter((one) => one.partition === partition);
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

const SILENCE_MS = 60_000;

/**
 * Applies the log as the ledger does: a number when it is next, lower is a repeat, higher is a gap and dropped. Knows who
 * has adopted which spool, and how long it has not heard of each.
 */
export class FakeLedger {
  readonly applied: Applied[] = [];
  /** The ends that count: the first of each hold. */
  readonly charged = new Set<string>();
  gaps = 0;
  /** False: the consumer stands still. */
  consumes = true;
  /** False: beats are not answered. */
  answers = true;
  /** Partitions whose owner does not answer. */
  readonly unanswered = new Set<number>();
  beats: Beat[] = [];
  readonly adoptions: AdoptSpool[] = [];
  readonly owners = new Map<string, string>();
  private readonly marks: BeatAnswer['marks'] = {};
  private readonly consumed = Array.from({ length: SHARD_COUNT }, () => 1);
  private readonly heardAtMs = new Map<string, number>();
  private readonly startedAtMs: number;
  private read = 0;

  constructor(
    private readonly log: FakeLog,
    private readonly nowMs: () => number = () => performance.now(),
  ) {
    this.startedAtMs = nowMs();
  }

  consume(): void {
    for (; this.read < this.log.records.length; this.read += 1) {
      const { partition, record, isLost } = this.log.records[this.read] as LoggedRecord;
      this.consumed[partition] = (this.consumed[partition] ?? 0) + 1;
      if (!isLost) this.apply(partition, record);
    }
  }

  markOf(spool: string, partition: number): number {
    return this.marks[spool]?.[partition] ?? 0;
  }

  async beat(beat: Beat): Promise<BeatAnswer> {
    this.beats.push(beat);
    if (!this.answers) throw new Error('the ledger is away');
    this.heardAtMs.set(beat.spool.id, this.nowMs());
    if (this.consumes) this.consume();
    const wanted = [beat.spool.id, ...beat.ask].filter((id) => this.marks[id]);
    return {
      marks: Object.fromEntries(wanted.map((id) => [id, this.answered(this.marks[id] ?? {})])),
      consumed: this.answered(Object.fromEntries(this.consumed.entries())),
      owners: {},
      adopted: this.owners.has(beat.spool.id),
    };
  }

  async adopt(adoption: AdoptSpool): Promise<AdoptAnswer> {
    if (!this.answers) throw new Error('the ledger is away');
    this.adoptions.push(adoption);
    const { spool, adopter, expected_owner, proof } = adoption;
    const owner = this.owners.get(spool.id) ?? null;
    const isSilent = [spool.id, ...(owner ? [owner] : [])].every(
      (id) => this.nowMs() - (this.heardAtMs.get(id) ?? this.startedAtMs) >= SILENCE_MS,
    );
    if (owner !== expected_owner || (proof === 'silence' && !isSilent)) return { adopted: false, owner };
    this.owners.set(spool.id, adopter.id);
    return { adopted: true, owner: adopter.id };
  }

  private apply(partition: number, { headers }: EventRecord): void {
    const { [SPOOL_HEADER]: spool = '', [NUMBER_HEADER]: digits, ce_type, ce_id = '' } = headers;
    const number = Number(digits);
    this.marks[spool] ??= {};
    const ofSpool = this.marks[spool];
    const mark = ofSpool[partition] ?? 0;
    if (number > mark + 1) this.gaps += 1;
    if (number !== mark + 1) return;
    ofSpool[partition] = number;
    this.applied.push({ spool, partition, number, name: ce_type === 'RecordLost.v1' ? 'lost' : ce_id });
    if (ce_type !== 'RecordLost.v1') this.charged.add(ce_id);
  }

  private answered(ofPartitions: Record<string, number>): Record<string, number> {
    return Object.fromEntries(
      Object.entries(ofPartitions).filter(([partition]) => !this.unanswered.has(Number(partition))),
    );
  }
}
