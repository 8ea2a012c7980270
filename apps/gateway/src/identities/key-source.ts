import type { JSONWebKeySet } from 'jose';

/** Where the identity provider publishes its public keys. */
export abstract class KeySource {
  /** Rejects when there is no answer within seconds, or one that is no key set. */
  abstract fetch(): Promise<JSONWebKeySet>;
}
