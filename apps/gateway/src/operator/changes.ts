import { Inject, Injectable } from '@nestjs/common';
import { Audit } from '@vendo/registry';
import { DataSource, type EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';

const OPERATOR = 'admin';

/** What was done to what. `before` and `after` are what the operator may see: never a key, a hash or a credential. */
export interface Deed {
  action: string;
  /** The id of what changed. */
  subject: string;
  /** Who did it; the operator where nobody is named. */
  who?: string;
  before: object | null;
  after: object | null;
}

/** For a deed: done by somebody else than the operator, where `who` is given. */
export function by(who: string | undefined): { who?: string } {
  return who === undefined ? {} : { who };
}

/** A transaction on the registry in which every change leaves its audit row. */
export interface Change {
  tx: EntityManager;
  record(deed: Deed): Promise<void>;
}

/** The one way in which the APIs write the registry. */
@Injectable()
export class Changes {
  constructor(@Inject(DataSource) private readonly registry: DataSource) {}

  /** Commits what `work` did, or nothing. */
  make<T>(work: (change: Change) => Promise<T>): Promise<T> {
    return this.registry.transaction((tx) =>
      work({
        tx,
        record: async (deed) => {
          await tx.insert(Audit, { id: uuidv7(), who: OPERATOR, ...deed });
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
