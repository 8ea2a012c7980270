import { VendoError } from '@vendo/errors';
import { shardOf } from '@vendo/events';
import type { Clock } from '@vendo/runtime';
import { z } from 'zod';
import { Beats } from './beats.js';
import { LedgerClient } from './ledger-client.js';
import { LedgerConnections, type LedgerRequest, MovedError, UnansweredError } from './ledger-connections.js';
import { LedgerDirectory, originOf } from './ledger-directory.js';
import { Reserves } from './reserves.js';
import {
  AdoptAnswer,
  type AdoptSpool,
  type Beat,
  BeatAnswer,
  Caps,
  CreditEntry,
  type GrantCredit,
  type Job,
  LeasedJobs,
  OpenHold,
  OverdueJob,
  ParkedRecord,
  ReserveAnswers,
  type ReserveCommand,
  type ReserveDecision,
  type SetCaps,
  type SpoolRef,
  SpoolState,
  type WriteOff,
} from './schemas.js';

/** How long an operator's command looks for the ledger that takes it: longer than a takeover. */
const GIVE_UP_MS = 6_000;
const PAUSE_MS = 100;

const Holds = z.object({ holds: z.array(OpenHold) });
const Spools = z.object({ spools: z.array(SpoolState) });
const Parked = z.object({ parked: z.array(ParkedRecord) });
const OverdueJobs = z.object({ jobs: z.array(OverdueJob) });

/** The ledgers over HTTP: finds the owner of each shard from the seeds on, and follows it when it changes. */
export class HttpLedgerClient extends LedgerClient {
  private readonly connections: LedgerConnections;
  private readonly directory: LedgerDirectory;
  private readonly reserves: Reserves;
  private readonly beats: Beats;

  /** @param seeds origins of one ledger or more, which know the others; @param token VENDO_INTERNAL_TOKEN. */
  constructor(
    seeds: readonly string[],
    token: string,
    private readonly clock: Clock,
  ) {
    super();
    this.connections = new LedgerConnections(token);
    this.directory = new LedgerDirectory(seeds, () => {
      this.connections.keep(this.directory.ledgers);
      this.reserves.wake();
    });
    const sendBeat = (origin: string, beat: Beat) => this.sendBeat(origin, beat);
    this.reserves = new Reserves(
      this.directory,
      {
        send: async (origin, spool, commands) => {
          const body = { spool, commands };
          const request = { method: 'POST', path: '/internal/reserve', shape: ReserveAnswers, body } as const;
          return (await this.connections.request(origin, request)).answers;
        },
        findOwners: async (origin, spool) => void (await sendBeat(origin, { spool, ask: [] })),
      },
      clock,
    );
    this.beats = new Beats(this.directory, sendBeat, clock);
  }

  reserve(spool: SpoolRef, command: ReserveCommand): Promise<ReserveDecision> {
    return this.reserves.ask(spool, command);
  }

  beat(beat: Beat): Promise<BeatAnswer> {
    return this.beats.beat(beat);
  }

  adopt(body: AdoptSpool): Promise<AdoptAnswer> {
    return this.command({ method: 'POST', path: '/internal/spools/adopt', shape: AdoptAnswer, body });
  }

  writeOff(body: WriteOff): Promise<SpoolState> {
    return this.command({ method: 'POST', path: '/internal/spools/write-off', shape: SpoolState, body });
  }

  async replay(parkedId: string): Promise<void> {
    const path = `/internal/parked/${encodeURIComponent(parkedId)}/replay`;
    await this.command({ method: 'POST', path, shape: z.object({}), body: {} });
  }

  grantCredit(body: GrantCredit): Promise<CreditEntry> {
    const request = { method: 'POST', path: '/internal/credits', shape: CreditEntry, body } as const;
    return this.command(request, shardOf(body.tenant_id));
  }

  setCaps(body: SetCaps): Promise<Caps> {
    const request = { method: 'PUT', path: '/internal/caps', shape: Caps, body } as const;
    return this.command(request, shardOf(body.tenant_id));
  }

  async leaseJobs(limit: number): Promise<Job[]> {
    const body = { limit };
    return (await this.command({ method: 'POST', path: '/internal/jobs/lease', shape: LeasedJobs, body }))
      .jobs;
  }

  async openHolds(tenantId: string): Promise<OpenHold[]> {
    return (await this.read(`/internal/tenants/${encodeURIComponent(tenantId)}/holds`, Holds)).holds;
  }

  async spools(): Promise<SpoolState[]> {
    return (await this.read('/internal/spools', Spools)).spools;
  }

  async parked(): Promise<ParkedRecord[]> {
    return (await this.read('/internal/parked', Parked)).parked;
  }

  async overdueJobs(): Promise<OverdueJob[]> {
    return (await this.read('/internal/jobs/overdue', OverdueJobs)).jobs;
  }

  async close(): Promise<void> {
    this.reserves.close();
    await this.connections.close();
  }

  private async sendBeat(origin: string, body: Beat): Promise<BeatAnswer> {
    const request = { method: 'POST', path: '/internal/beat', shape: BeatAnswer, body } as const;
    const answer = await this.connections.request(origin, request);
    this.directory.learn(answer.owners);
    return answer;
  }

  /** Any living ledger can answer what is read. */
  private async read<Shape extends z.ZodType>(path: string, shape: Shape): Promise<z.infer<Shape>> {
    for (const origin of this.directory.ledgers)
      try {
        return await this.connections.request(origin, { method: 'GET', path, shape });
      } catch (thrown) {
        if (!(thrown instanceof UnansweredError)) throw thrown;
      }
    throw new VendoError('billing_unavailable');
  }

  /**
   * Asks until a ledger has decided, for a bounded time: a repeat changes nothing, so it may be sent to one after the other.
   * @param shard what it is about; null where any ledger may take it, or says who does.
   */
  private async command<Shape extends z.ZodType>(
    request: LedgerRequest<Shape>,
    shard: number | null = null,
  ): Promise<z.infer<Shape>> {
    const endMs = this.clock.monotonicMs() + GIVE_UP_MS;
    let origin = shard === null ? this.ledgerAfter(null) : this.directory.ask(shard);
    while (true) {
      let named: string | null = null;
      try {
        return await this.connections.request(origin, request);
      } catch (thrown) {
        if (thrown instanceof MovedError) named = this.moved(shard, thrown.owner);
        else if (!(thrown instanceof UnansweredError)) throw thrown;
      }
      if (this.clock.monotonicMs() + PAUSE_MS > endMs) throw new VendoError('billing_unavailable');
      await this.clock.sleep(PAUSE_MS);
      origin = named ?? this.ledgerAfter(origin);
    }
  }

  private moved(shard: number | null, owner: string | null): string | null {
    if (shard !== null) this.directory.moved(shard, owner);
    return owner === null ? null : originOf(owner);
  }

  /** The next ledger to try, in turn. */
  private ledgerAfter(origin: string | null): string {
    const { ledgers } = this.directory;
    return ledgers[(origin === null ? 0 : ledgers.indexOf(origin) + 1) % ledgers.length] ?? '';
  }
}
