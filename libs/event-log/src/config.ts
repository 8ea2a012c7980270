/** Which log carries the events. On Kafka, Postgres still keeps which topics exist and their log ids. */
export type EventLogConfig =
  | { kind: 'postgres'; databaseUrl: string }
  | { kind: 'kafka'; brokers: readonly string[]; databaseUrl: string }
  | { kind: 'memory' };

/** The environment decides: with KAFKA_BROKERS it is Kafka, else Postgres. */
export function eventLogConfig(env: {
  DATABASE_URL: string;
  KAFKA_BROKERS?: readonly string[] | undefined;
}): Exclude<EventLogConfig, { kind: 'memory' }> {
  const { DATABASE_URL: databaseUrl, KAFKA_BROKERS: brokers } = env;
  return brokers ? { kind: 'kafka', brokers, databaseUrl } : { kind: 'postgres', databaseUrl };
}
