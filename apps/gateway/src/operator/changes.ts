import { Inject, Injectable } from '@nestjs/common';
import { Audit } from '@vendo/registry';
import { DataSource, type EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';

/** What was done to what. `before` and `after` are what the operator may see: never a key, a hash or a credential. */
export interface Deed {
  action: string;
  /** The id of what changed. */
  subject: string;
  before: object | null;
  after: object | null;
}

/** A transaction on the registry in which every change leaves its audit row. */
export interface Change {
  tx: EntityManager;
  record(deed: Deed): Promise<void>;
}

/** The one way in which the operator API writes the registry. */
@Injectable()
export class Changes {
  constructor(@Inject(DataSource) private readonly registry: DataSource) {}

  /** Commits what `work` did, or nothing. */
  make<T>(work: (change: Change) => Promise<T>): Promise<T> {
    return this.registry.transaction((tx) =>
      work({
        tx,
        record: async (deed) => {
          await tx.insert(Audit, { id: uuidv7(), who: 'admin', ...deed });
        },
      }),
    );
  }

  /**
   * Commits the audit row of what is about to be asked of the ledger. The ledger commits apart from the registry: with
   * this row first, no change there is without one, whatever dies between the two.
   */
  announce(deed: Deed): Promise<void> {
    return this.make(({ record }) => record(deed));
  }

  /** Reads outside of a change. */
  get read(): EntityManager {
    return this.registry.manager;
  }
}
