import type { Clock, Logger } from '@vendo/runtime';
import type { PriceFeed } from '../providers/price-feed.js';
import type { FeedReader } from './feed-reader.js';
import type { PriceFeedMetrics } from './price-feed-metrics.js';
import type { PriceChange, PricePlan } from './price-plan.js';
import type { PriceStore } from './price-store.js';

/** A feed, and where this product reads it: its path stands behind `base`. */
export interface FeedPlace {
  provider: string;
  feed: PriceFeed;
  base: string;
}

interface RefresherParts {
  store: PriceStore;
  reader: FeedReader;
  clock: Clock;
  logger: Logger;
  metrics: PriceFeedMetrics;
  /** From 0 to 1. */
  random: () => number;
}

/** Of a long list a log line tells the first. */
const TOLD_MAX = 50;
/** A gateway looks so many times in an interval whether a reading is due, give or take a half. */
const LOOKS = 12;

/** Reads every provider's price feed once in `everyMs`, in whichever gateway looks first when it is due. */
export class PriceRefresher {
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly places: readonly FeedPlace[],
    private readonly everyMs: number,
    private readonly parts: RefresherParts,
  ) {}

  /** Begins to look for readings that are due; does nothing where there is no feed. */
  start(): void {
    if (this.places.length > 0) this.running = this.run();
  }

  /** Resolves when nothing is being read or written any more. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  /** Reads the feeds that are due. Never rejects: a feed that cannot be read or applied leaves the prices as they are. */
  async refresh(): Promise<void> {
    for (const place of this.places) {
      if (this.stopping.signal.aborted) return;
      await this.refreshOne(place).catch((thrown: unknown) => this.failed(place, thrown));
    }
  }

  private async run(): Promise<void> {
    const { clock, random } = this.parts;
    while (!this.stopping.signal.aborted) {
      await clock.sleep((this.everyMs / LOOKS) * (0.5 + random()), this.stopping.signal);
      await this.refresh();
    }
  }

  private async refreshOne({ provider, feed, base }: FeedPlace): Promise<void> {
    const { store, reader } = this.parts;
    if (!(await store.claim(provider, this.everyMs))) return;
    const reading = feed.read(await reader.read(base + feed.path, this.stopping.signal));
    // No provider closes like this; a list that has become empty, or is all of nonsense, is damaged.
    if (reading.models.length === 0) throw new Error('it lists no model with a price');
    this.tell(provider, await store.apply(provider, reading));
  }

  private tell(provider: string, { changes, refused, kept, vanished, version }: Applied): void {
    const { logger, metrics } = this.parts;
    const isNews = changes.length > 0;
    metrics.readings.inc({ provider, result: isNews ? 'changed' : 'unchanged' });
    metrics.changes.inc({ provider }, changes.length);
    for (const { why } of refused) metrics.refused.inc({ provider, why });
    const facts = { provider, version, changes: changes.length, kept, vanished };
    if (isNews)
      logger.info({ ...facts, first: changes.slice(0, TOLD_MAX).map(diffOf) }, 'prices of a feed changed');
    if (refused.length > 0)
      logger.error(
        { alert: 'prices_refused', provider, refused: refused.length, first: refused.slice(0, TOLD_MAX) },
        'a feed lists prices that were not taken: the models keep theirs',
      );
  }

  private failed({ provider }: FeedPlace, thrown: unknown): void {
    if (this.stopping.signal.aborted) return;
    this.parts.metrics.readings.inc({ provider, result: 'failed' });
    this.parts.logger.error(
      { alert: 'price_feed_failed', provider, err: thrown },
      'a price feed could not be read: all prices stay',
    );
  }
}

type Applied = PricePlan & { version: number | null };

/** `openai/gpt-x input_tokens: 0.15 per 1000000 -> 0.2 per 1000000`, in USD. */
function diffOf({ model, meter, before, ...after }: PriceChange): string {
  return `${model} ${meter}: ${before ? textOf(before) : 'none'} -> ${textOf(after)}`;
}

function textOf({ usd, per }: Pick<PriceChange, 'usd' | 'per'>): string {
  return `${usd.toDecimal()} per ${per.toDecimal()}`;
}
