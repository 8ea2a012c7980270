import { VendoError } from '@vendo/errors';
import type { Logger, Metrics } from '@vendo/runtime';
import { LateWrites, type RetryPauses } from './late-writes.js';
import type { KeptObject, ObjectKey, ObjectTable } from './object-table.js';

/** An answer is held back no longer than this for its row. */
const WRITE_WITHIN_MS = 500;
/** The newest objects that this gateway has met, a few hundred bytes each. */
const REMEMBERED_MAX = 10_000;

/** Who made which object in a provider's account. The registry knows it; what this gateway met last it knows by itself. */
export class StoredObjects {
  /** In the order in which they were last used. */
  private readonly remembered = new Map<string, KeptObject>();
  private readonly failures;
  private readonly late: LateWrites;

  constructor(
    private readonly table: ObjectTable,
    private readonly logger: Logger,
    metrics: Metrics,
    pauses?: RetryPauses,
  ) {
    this.late = new LateWrites(table, (object) => this.isEnded(object), logger, metrics, pauses);
    this.failures = metrics.counter(
      'vendo_stored_objects_unwritten_total',
      "Objects in the providers' accounts whose row was not written in time: only this gateway knows them until it is",
      ['provider'],
    );
  }

  /**
   * Never rejects, and resolves within half a second: an answer waits for it, and billing fails no answer. What could not
   * be written is tried again in the background.
   */
  async keep(object: KeptObject): Promise<void> {
    this.remember(object);
    const timer = Promise.withResolvers<'late'>();
    const timeout = setTimeout(() => timer.resolve('late'), WRITE_WITHIN_MS);
    const written = this.table.add(object).then(
      () => null,
      (thrown: unknown) => ({ thrown }),
    );
    void written.then((failed) => failed && this.late.add(object));
    const failure = await Promise.race([written, timer.promise]).finally(() => clearTimeout(timeout));
    if (failure === null) return;
    this.failures.inc({ provider: object.provider });
    this.logger.error(
      { ...(failure === 'late' ? {} : { err: failure.thrown }), provider: object.provider },
      'the row of a stored object was not written in time',
    );
  }

  /** Null: no answer through us has named it. Throws VendoError billing_unavailable when the registry cannot be asked. */
  async find(key: ObjectKey): Promise<KeptObject | null> {
    const known = this.remembered.get(keyOf(key));
    if (known) {
      this.remember(known);
      return known;
    }
    const found = await this.table.find(key).catch((thrown: unknown) => {
      this.logger.error({ err: thrown, provider: key.provider }, 'a stored object could not be looked up');
      throw new VendoError('billing_unavailable');
    });
    if (found) this.remember(found);
    return found;
  }

  /** Whether this gateway knows that the job's report has been charged, or the refund given. */
  isEnded(key: ObjectKey): boolean {
    return this.remembered.get(keyOf(key))?.ended === true;
  }

  /**
   * The job's report has been charged, or the refund given: its frame is written, for who asks later believes this.
   * What is lost of it costs a repeat, which changes nothing. Never throws.
   */
  end(key: ObjectKey): void {
    const known = this.remembered.get(keyOf(key));
    if (known?.ended) return;
    if (known) this.remember({ ...known, ended: true });
    this.table.end(key).catch((thrown: unknown) => {
      this.logger.warn({ err: thrown, provider: key.provider }, 'the end of a job was not marked');
    });
  }

  /** Tries once more what is not written yet. */
  stop(): Promise<void> {
    return this.late.stop();
  }

  private remember(object: KeptObject): void {
    const key = keyOf(object);
    this.remembered.delete(key);
    this.remembered.set(key, object);
    const [oldest] = this.remembered.keys();
    if (oldest !== undefined && this.remembered.size > REMEMBERED_MAX) this.remembered.delete(oldest);
  }
}

function keyOf({ provider, connectionId, objectId }: ObjectKey): string {
  return JSON.stringify([provider, connectionId, objectId]);
}
