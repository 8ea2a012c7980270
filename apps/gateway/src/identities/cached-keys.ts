import { VendoError } from '@vendo/errors';
import type { Clock, Logger } from '@vendo/runtime';
import { createLocalJWKSet, errors, type FlattenedJWSInput, type JWSHeaderParameters } from 'jose';
import type { KeySource } from './key-source.js';

const CACHED_MS = 600_000;
/** At most one fetch for unknown key ids in this time, however many come. */
const REFETCH_EVERY_MS = 10_000;
/** After a fetch that failed the host is left alone for this long. */
const AFTER_FAILURE_MS = 5_000;

type Keys = ReturnType<typeof createLocalJWKSet>;

/**
 * The public keys of the identity provider, by key id: fetched when first needed, kept for 10 minutes, fetched once more
 * for an id that is not among them. While the host is away what is cached goes on to its end.
 */
export class CachedKeys {
  private keys: Keys | null = null;
  private fetchedMs = 0;
  private refetchedMs = Number.NEGATIVE_INFINITY;
  private failedMs = Number.NEGATIVE_INFINITY;
  private pending: Promise<Keys> | null = null;

  constructor(
    private readonly source: KeySource,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  /**
   * The key of a token's header. Throws a jose error when the provider has no such key, VendoError
   * `billing_unavailable` when that cannot be said.
   */
  async find(header: JWSHeaderParameters, token: FlattenedJWSInput) {
    const keys = this.fresh() ?? (await this.fetched());
    try {
      return await keys(header, token);
    } catch (thrown) {
      if (!(thrown instanceof errors.JWKSNoMatchingKey)) throw thrown;
      const newer = await this.newerThan(keys);
      if (newer === null) throw thrown;
      return newer(header, token);
    }
  }

  private fresh(): Keys | null {
    return this.clock.monotonicMs() - this.fetchedMs < CACHED_MS ? this.keys : null;
  }

  /** Null when they were fetched anew for an unknown id a moment ago. */
  private async newerThan(keys: Keys): Promise<Keys | null> {
    if (this.pending !== null) return this.pending;
    if (this.keys !== keys) return this.keys;
    if (this.leftAlone()) return this.fetched();
    if (this.clock.monotonicMs() - this.refetchedMs < REFETCH_EVERY_MS) return null;
    this.refetchedMs = this.clock.monotonicMs();
    return this.fetched();
  }

  private leftAlone(): boolean {
    return this.clock.monotonicMs() - this.failedMs < AFTER_FAILURE_MS;
  }

  /** One fetch at a time, for all who wait. */
  private fetched(): Promise<Keys> {
    if (this.pending === null && this.leftAlone())
      return Promise.reject(new VendoError('billing_unavailable'));
    this.pending ??= this.fetch().finally(() => {
      this.pending = null;
    });
    return this.pending;
  }

  private async fetch(): Promise<Keys> {
    try {
      const keys = createLocalJWKSet(await this.source.fetch());
      this.keys = keys;
      this.fetchedMs = this.clock.monotonicMs();
      return keys;
    } catch (thrown) {
      this.failedMs = this.clock.monotonicMs();
      this.logger.warn({ err: thrown }, 'the keys of the identity provider cannot be fetched');
      throw new VendoError('billing_unavailable', undefined, {}, { cause: thrown });
    }
  }
}
