import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { EventRecord } from '@vendo/events';
import type { AdoptAnswer, AdoptSpool, Beat, BeatAnswer, LedgerClient } from '@vendo/ledger-api';
import { createLogger, Metrics } from '@vendo/runtime';
import { v7 as uuidv7 } from 'uuid';
import { FileSpool } from './file.spool.js';
import { FileSpoolDisk } from './file.spool-disk.js';
import { checksumSeed, frameAt } from './frame.js';
import { eventNamed, FakeLedger, FakeLog, HastyClock } from './memory.spool-world.js';
import { OwnSpool } from './own-spool.js';
import { SpoolMetrics } from './spool-metrics.js';
import type { SpoolParts } from './spool-parts.js';
import { SpoolShipping } from './spool-shipping.js';
import { ProcessTable } from './writer-process.js';

/** Several gateways on a shared data folder, each of which can be stopped, killed or cut off at any await. */
export class GatewayStand {
  readonly dataDir = mkdtempSync(path.join(tmpdir(), 'vendo-gateways-'));
  readonly clock = new HastyClock();
  readonly log = new FakeLog();
  readonly ledger = new FakeLedger(this.log, () => this.clock.monotonicMs());
  /** What was deleted although the ledger had not applied it. */
  readonly wronglyDeleted: string[] = [];
  /** Those that live, as `host/pid`. */
  readonly processes = new Set<string>();
  private readonly gateways: StandGateway[] = [];

  /** A process start on that host. */
  gateway(host: string): StandGateway {
    const pid = this.gateways.length + 1;
    this.processes.add(`${host}/${pid}`);
    const gateway = new StandGateway(this, host, pid);
    this.gateways.push(gateway);
    return gateway;
  }

  /** Time passes for all; whoever lives and reaches the ledger beats meanwhile. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 5_000) {
      this.clock.monotonicAheadMs += Math.min(left, 5_000);
      const before = this.ledger.beats.length;
      const isHeard = ({ spool }: StandGateway): boolean =>
        this.ledger.beats.slice(before).some((beat) => beat.spool.id === spool.ref.id);
      await this.until(() => this.gateways.every((one) => !one.isHeardOf || isHeard(one)), 'beats');
    }
  }

  async until(holds: () => boolean, what: string): Promise<void> {
    const endMs = Date.now() + 15_000;
    while (!holds()) {
      if (Date.now() > endMs) throw new Error(`timed out: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** Checks what is about to be deleted against the ledger's marks. */
  audit(file: string): void {
    const bytes = readFileSync(file);
    const spoolId = path.basename(path.dirname(file));
    const seed = checksumSeed(spoolId);
    let at = 0;
    for (let frame = frameAt(bytes, 0, seed); frame !== null; frame = frameAt(bytes, at, seed)) {
      const last = frame.first + frame.count - 1;
      if (this.ledger.markOf(spoolId, frame.partition) < last)
        this.wronglyDeleted.push(`${spoolId} ${frame.partition}/${last}`);
      at += frame.bytes.length;
    }
  }

  async end(): Promise<void> {
    await Promise.allSettled(this.gateways.map((gateway) => gateway.end()));
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}

/** One gateway process: its spool with everything around it. */
export class StandGateway {
  readonly gate = new Gate();
  readonly spool: OwnSpool;
  private readonly reported: { name: string; isWritten: boolean }[] = [];
  /** Cut off from the ledger. */
  isCutOff = false;
  /** Beats that it sent while it was. */
  unheardBeats = 0;
  /** The log takes nothing of this gateway, or does not answer it. */
  logHolds: 'nothing' | 'appends' | 'answers' = 'nothing';
  /** The next write is torn: half of its bytes are in the file when the process stands still. */
  tearsNextWrite = false;
  private readonly parts: SpoolParts;
  private shipping: SpoolShipping | null = null;
  /** The process ends when it has made the folder of a new spool. */
  diesWhenMoving = false;

  constructor(
    private readonly stand: GatewayStand,
    readonly host: string,
    readonly pid: number,
  ) {
    this.parts = {
      disk: new StandDisk(stand, this),
      processes: new StandProcesses(stand, this),
      clock: new GatedClock(stand.clock, this.gate),
      logger: createLogger('spec', 'silent'),
      metrics: new SpoolMetrics(new Metrics('spec')),
    };
    const { dataDir } = stand;
    const options = { dataDir, host, maxBytes: 1_000_000_000, segmentBytes: 700 };
    this.spool = new OwnSpool(() => new FileSpool({ id: uuidv7(), ...options }, this.parts));
  }

  get isHeardOf(): boolean {
    return this.shipping !== null && this.hasProcess && !this.gate.isClosed && !this.isCutOff;
  }

  async start(): Promise<void> {
    const { dataDir, log } = this.stand;
    const { host } = this;
    const gatedLog = new FakeLog();
    gatedLog.append = (topic, partition, records) =>
      this.append(() => log.append(topic, partition, records), records);
    this.shipping = new SpoolShipping(
      this.spool,
      gatedLog,
      this.link() as LedgerClient,
      { dataDir, host, flushWithinMs: 0 },
      this.parts,
    );
    await this.shipping.start((thrown) => {
      throw thrown;
    });
  }

  /** The end of a call. */
  report(name: string, partition = 0): void {
    this.reported.push({ name, isWritten: this.spool.append([eventNamed(name, partition)]) });
  }

  /** What must be charged: all that a living process has reported, of a dead one what it had written. */
  get promised(): string[] {
    return this.reported.filter(({ isWritten }) => isWritten || this.hasProcess).map(({ name }) => name);
  }

  kill(): void {
    this.gate.close();
    this.stand.processes.delete(`${this.host}/${this.pid}`);
  }

  get hasProcess(): boolean {
    return this.stand.processes.has(`${this.host}/${this.pid}`);
  }

  async end(): Promise<void> {
    this.logHolds = 'nothing';
    this.gate.open();
    await this.shipping?.stop();
  }

  private async append(append: () => Promise<bigint>, records: readonly EventRecord[]): Promise<bigint> {
    if (records.length === 0) throw new Error('nothing to append');
    await this.gate.pass();
    while (this.logHolds === 'appends') await this.parts.clock.sleep(1);
    const offset = await append();
    while (this.logHolds === 'answers') await this.parts.clock.sleep(1);
    await this.gate.pass();
    return offset;
  }

  private link(): Pick<LedgerClient, 'beat' | 'adopt'> {
    const { ledger } = this.stand;
    const over = async <Answer>(ask: () => Promise<Answer>): Promise<Answer> => {
      await this.gate.pass();
      if (this.isCutOff) throw new Error('the ledger is away');
      const answer = await ask();
      await this.gate.pass();
      return answer;
    };
    return {
      beat: (beat: Beat): Promise<BeatAnswer> => {
        if (this.isCutOff) this.unheardBeats += 1;
        return over(() => ledger.beat(beat));
      },
      adopt: (adoption: AdoptSpool): Promise<AdoptAnswer> => over(() => ledger.adopt(adoption)),
    };
  }
}

/** Where a process stands still while it is stopped, and for ever once it is killed. */
class Gate {
  private closed: PromiseWithResolvers<void> | null = null;

  get isClosed(): boolean {
    return this.closed !== null;
  }

  close(): void {
    this.closed ??= Promise.withResolvers<void>();
  }

  open(): void {
    this.closed?.resolve();
    this.closed = null;
  }

  async pass(): Promise<void> {
    while (this.closed) await this.closed.promise;
  }
}

class GatedClock extends HastyClock {
  constructor(
    private readonly shared: HastyClock,
    private readonly gate: Gate,
  ) {
    super();
  }

  override wallMs(): number {
    return this.shared.wallMs();
  }

  override monotonicMs(): number {
    return this.shared.monotonicMs();
  }

  override async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await super.sleep(ms, signal);
    await this.gate.pass();
  }
}

class StandProcesses extends ProcessTable {
  readonly bootId: string;
  readonly pid: number;

  constructor(
    private readonly stand: GatewayStand,
    private readonly gateway: StandGateway,
  ) {
    super();
    this.bootId = `boot of ${gateway.host}`;
    this.pid = gateway.pid;
  }

  startOf(pid: number): string | null {
    return this.stand.processes.has(`${this.gateway.host}/${pid}`) ? `start of ${pid}` : null;
  }
}

/** The real disk, at whose awaits the process can stand still. */
class StandDisk extends FileSpoolDisk {
  constructor(
    private readonly stand: GatewayStand,
    private readonly gateway: StandGateway,
  ) {
    super();
  }

  override createFolder(folder: string, fileName: string, text: string): void {
    super.createFolder(folder, fileName, text);
    if (!this.gateway.diesWhenMoving) return;
    this.gateway.kill();
    throw new Error('the process has ended');
  }

  override write(file: number, bytes: Buffer, position: number): number {
    if (!this.gateway.tearsNextWrite) return super.write(file, bytes, position);
    this.gateway.tearsNextWrite = false;
    super.write(file, bytes.subarray(0, bytes.length >> 1), position);
    this.gateway.gate.close();
    throw new Error('the process stands still in the middle of a write');
  }

  override remove(file: string): void {
    this.stand.audit(file);
    super.remove(file);
  }

  override async removeFolder(folder: string): Promise<void> {
    await this.gateway.gate.pass();
    for (const name of readdirSync(folder))
      if (name.endsWith('.seg')) this.stand.audit(path.join(folder, name));
    await super.removeFolder(folder);
  }

  override async read(file: string, position: number, length: number): Promise<Buffer> {
    await this.gateway.gate.pass();
    return super.read(file, position, length);
  }

  override async list(folder: string): Promise<{ name: string; bytes: number }[]> {
    await this.gateway.gate.pass();
    return super.list(folder);
  }

  override async writeFile(file: string, content: string | Buffer): Promise<void> {
    await this.gateway.gate.pass();
    await super.writeFile(file, content);
  }
}
