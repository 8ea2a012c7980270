import type { EntityManager } from 'typeorm';

/**
 * Takes the next rate version for this transaction. The counter's row stays locked to its end, so versions become
 * visible in order and a gateway that has polled version n has all rows up to n. To be called in a transaction.
 */
export async function nextRateVersion(tx: EntityManager): Promise<number> {
  const [rows]: [{ version: number }[], number] = await tx.query(
    'update registry.rate_version set version = version + 1 returning version',
  );
  const [counter] = rows;
  if (!counter) throw new Error('the rate version counter is missing');
  return counter.version;
}
