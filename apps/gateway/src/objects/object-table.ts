import type { VendoEvent } from '@vendo/events';
import type { Job } from '@vendo/ledger-api';

/** What gives a charge back. */
export type Refund = Extract<VendoEvent, { type: 'UsageCorrected.v1' }>['data'];

/** What names an object: ids are the provider's own, and unique in the account that a connection is to. */
export interface ObjectKey {
  provider: string;
  connectionId: string;
  objectId: string;
}

/** An object in a provider's account that an answer to this tenant has named. */
export interface KeptObject extends ObjectKey {
  tenantId: string;
  /** Of a job: what its report is charged by; null for anything else. */
  job: Job | null;
  /** Of what was charged, by a provider that may give it back: what it then corrects. */
  refund: Refund | null;
  /** The job's report has been charged, or the refund given. */
  ended: boolean;
}

/** The registry's rows of stored objects, each call at the database. Everything rejects when that fails. */
export abstract class ObjectTable {
  /** Does nothing where there is a row. */
  abstract add(object: KeptObject): Promise<void>;
  /** Null: no answer has named it. */
  abstract find(key: ObjectKey): Promise<KeptObject | null>;
  abstract end(key: ObjectKey): Promise<void>;
}
