import { hash } from 'node:crypto';
import { VendoError } from '@vendo/errors';
import { RateBook } from '@vendo/pricing';
import type { Clock, Logger } from '@vendo/runtime';
import { type Caller, Callers, type Connection, type Freshness } from './callers.js';
import { EntryCache } from './entry-cache.js';
import { PollAge } from './poll-age.js';
import { RateMisses } from './rate-misses.js';
import {
  bindingsKey,
  type ConnectionRecord,
  type KeyRecord,
  type RegistryChange,
  type RegistrySource,
} from './registry-source.js';

const POLL_EVERY_MS = 500;
const MISSES_EVERY_MS = 1_000;
/** What `issueKey` makes: anything else needs no look into the registry. */
const KEY_SHAPE = /^vendo_sk_[A-Za-z0-9_-]{32}$/;
const MODEL_CHARS_MAX = 200;

/** Callers over an in-memory cache, kept right by a poll of what changed. */
export class CachedCallers extends Callers {
  private readonly pollAge: PollAge;
  private readonly keys: EntryCache<KeyRecord>;
  private readonly bindings: EntryCache<readonly string[]>;
  private readonly connections: EntryCache<ConnectionRecord>;
  private readonly misses: RateMisses;
  private readonly stopping = new AbortController();
  private readonly loops: Promise<void>[] = [];

  private lastPoll: string | null = null;
  /** Marks of the last poll: a change that is among them has been counted. */
  private seen = new Set<string>();
  private failing = false;
  private book: RateBook | null = null;

  constructor(
    private readonly source: RegistrySource,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {
    super();
    this.pollAge = new PollAge(clock);
    this.misses = new RateMisses(clock);
    this.keys = new EntryCache((hash) => source.key(hash), this.pollAge, clock);
    this.connections = new EntryCache((id) => source.connection(id), this.pollAge, clock);
    this.bindings = new EntryCache((key) => this.readBindings(key), this.pollAge, clock);
  }

  /** Polls every 500 ms until `stop`; resolves with the first poll that was good: before it nobody can be priced. */
  async start(): Promise<void> {
    for (await this.poll(); this.failing && !this.stopping.signal.aborted; await this.poll())
      await this.clock.sleep(POLL_EVERY_MS, this.stopping.signal);
    this.loops.push(
      this.every(POLL_EVERY_MS, () => this.poll()),
      this.every(MISSES_EVERY_MS, () => this.writeMisses()),
    );
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.loops);
    await this.writeMisses();
  }

  async identify(presentedKey: string, freshness: Freshness): Promise<Caller> {
    if (!KEY_SHAPE.test(presentedKey)) throw new VendoError('app_unknown');
    const key = await this.keys.get(hash('sha256', presentedKey), freshness);
    if (!key) throw new VendoError('app_unknown');
    if (key.revoked) throw new VendoError('app_revoked');
    if (key.expiresAtMs !== null && key.expiresAtMs <= this.clock.wallMs())
      throw new VendoError('app_expired');
    const { id: keyId, tenantId, appId, connectionId } = key;
    return { keyId, tenantId, appId, connectionId, capSubject: appId ?? keyId };
  }

  async connect(
    caller: Caller,
    provider: string,
    requested: string | null,
    freshness: Freshness,
    suits?: (connection: Connection) => boolean,
  ): Promise<Connection> {
    let refusal: 'binding_missing' | 'connection_revoked' = 'binding_missing';
    for (const id of await this.candidates(caller, provider, requested, freshness)) {
      const found = await this.connections.get(id, freshness);
      // Unbound, unknown and foreign look the same from outside.
      if (!found || found.tenantId !== caller.tenantId || found.provider !== provider) break;
      const { status, ...connection } = found;
      if (status === 'revoked') refusal = 'connection_revoked';
      if (suits && (status === 'revoked' || !suits(connection))) continue;
      if (status === 'revoked') break;
      // `error` is a connection whose credential stopped working: only its owner can mend it, as with needs_reauth.
      if (status !== 'active') throw new VendoError('connection_needs_reauth');
      return connection;
    }
    throw new VendoError(refusal);
  }

  async connection(id: string): Promise<Connection> {
    const found = await this.connections.get(id, 'metered');
    if (!found) throw new VendoError('binding_missing');
    const { status, ...connection } = found;
    if (status === 'revoked') throw new VendoError('connection_revoked');
    if (status !== 'active') throw new VendoError('connection_needs_reauth');
    return connection;
  }

  rates(): RateBook {
    if (!this.book) throw new VendoError('billing_unavailable');
    return this.book;
  }

  reportRateMiss({ model, meter, ...miss }: Parameters<Callers['reportRateMiss']>[0]): void {
    // Postgres refuses NUL in text, and the model is whatever a client wrote.
    const name = model.replaceAll('\0', '').slice(0, MODEL_CHARS_MAX);
    this.misses.add({ ...miss, model: name, meter: meter ?? '', count: 1 });
  }

  /** Connections that may be used, the one that is to be preferred first. */
  private async candidates(
    { appId, connectionId }: Caller,
    provider: string,
    requested: string | null,
    freshness: Freshness,
  ): Promise<readonly string[]> {
    if (connectionId !== null) return [connectionId];
    if (appId === null) return [];
    const bound = (await this.bindings.get(bindingsKey(appId, provider), freshness)) ?? [];
    return requested === null ? bound : bound.filter((id) => id === requested.toLowerCase());
  }

  private readBindings(key: string): Promise<readonly string[]> {
    const [appId = '', provider = ''] = key.split('/');
    return this.source.bindings(appId, provider);
  }

  private async poll(): Promise<void> {
    const began = this.clock.monotonicMs();
    try {
      const { now, rateVersion, changes } = await this.source.poll(this.lastPoll);
      this.evict(changes.filter(({ mark }) => !this.seen.has(mark)));
      this.seen = new Set(changes.map(({ mark }) => mark));
      await this.learnPrices(rateVersion);
      this.lastPoll = now;
      this.pollAge.succeeded(began);
      if (this.failing) this.logger.info('the registry answers again');
      this.failing = false;
    } catch (error) {
      if (!this.failing)
        this.logger.error({ err: error }, 'the registry cannot be polled: metered calls get 503');
      this.failing = true;
    }
  }

  private evict(changes: readonly RegistryChange[]): void {
    for (const { kind, entry } of changes) {
      if (kind === 'key') this.keys.evict(entry);
      else if (kind === 'connection') this.connections.evict(entry);
      else this.bindings.evict(entry);
    }
  }

  private async learnPrices(version: number): Promise<void> {
    if (this.book && this.book.version >= version) return;
    // Version 0 has the default margin.
    const { rates, margins } = await this.source.prices(this.book?.version ?? -1, version);
    this.book = this.book?.with(rates, margins, version) ?? new RateBook(rates, margins, version);
  }

  private async writeMisses(): Promise<void> {
    const taken = this.misses.take();
    if (taken.length === 0) return;
    try {
      await this.source.addRateMisses(taken);
    } catch (error) {
      for (const miss of taken) this.misses.add(miss);
      this.logger.warn({ err: error }, 'rate misses are written later');
    }
  }

  private async every(ms: number, work: () => Promise<void>): Promise<void> {
    const { signal } = this.stopping;
    for (;;) {
      await this.clock.sleep(ms, signal);
      if (signal.aborted) return;
      await work();
    }
  }
}
