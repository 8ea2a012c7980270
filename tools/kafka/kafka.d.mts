/** A broker of one's own: kill runs aim at it. */
export interface LocalKafka {
  /** host:port, as KAFKA_BROKERS wants it. */
  brokers: string;
  readonly pid: number | undefined;
  /** kill -9. */
  kill(): Promise<void>;
  /** A clean shutdown. */
  stop(): Promise<void>;
  /** Starts it again on the same port and data, after `kill` or `stop`; resolves when it answers. */
  restart(): Promise<void>;
}

/**
 * Starts a real Apache Kafka on 127.0.0.1; resolves when it answers. Jars are cached in `$VENDO_KAFKA_HOME`, else under
 * `node_modules/.cache`. Throws when java or mvn is missing or the broker does not answer within 60 s.
 * @param options.folder holds settings and data; kept. @param options.port default or 0: a free one.
 */
export function startKafka(options: {
  folder: string;
  port?: number;
  progress?: (line: string) => void;
}): Promise<LocalKafka>;

/** What this machine lacks to run Kafka: `java`, or `mvn` while the jars are not cached; null when nothing. */
export function missingForKafka(): Promise<'java' | 'mvn' | null>;
