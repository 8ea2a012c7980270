export type LogKind = 'postgres' | 'kafka';

/** The log that products under test tell their events over, unless a journey says otherwise: `VENDO_TEST_LOG`. */
export function logOfSuite(): LogKind {
  const kind = process.env.VENDO_TEST_LOG || 'postgres';
  if (kind === 'postgres' || kind === 'kafka') return kind;
  throw new Error(`VENDO_TEST_LOG must be postgres or kafka, not ${kind}`);
}
