import { freePort } from '../free-port.js';

const IMAGE = 'apache/kafka:4.3.1';
const TOPICS = ['gateway.events', 'ledger.events'];

export interface KafkaForTests {
  brokers: string[];
  /** Deletes our topics and waits until they are gone: a spec begins with an empty broker. */
  deleteTopics(): Promise<void>;
  /** Ends a broker that was started here; one from KAFKA_BROKERS goes on. */
  stop(): Promise<void>;
}

/**
 * The broker of a spec or journey: KAFKA_BROKERS when set (`node tools/kafka/kafka.mjs` starts one), for Jest's second
 * worker KAFKA_BROKERS_2 when that is set as well, else a container when Docker answers. Else null, with one line that
 * says what was not tested; in CI (`CI=true`) that is an error.
 */
export async function kafkaForTests(): Promise<KafkaForTests | null> {
  const { KAFKA_BROKERS, JEST_WORKER_ID } = process.env;
  const given = process.env[`KAFKA_BROKERS_${JEST_WORKER_ID}`] || KAFKA_BROKERS;
  if (given) return brokerAt(given.split(','), async () => undefined);
  const container = await startContainer();
  if (container) return container;
  if (process.env.CI === 'true') throw new Error('no Kafka: set KAFKA_BROKERS, or let Docker answer');
  process.stderr.write('KAFKA WAS NOT TESTED: KAFKA_BROKERS is unset and Docker does not answer\n');
  return null;
}

function brokerAt(brokers: string[], stop: () => Promise<void>): KafkaForTests {
  return { brokers, deleteTopics: () => deleteTopics(brokers), stop };
}

async function deleteTopics(brokers: string[]): Promise<void> {
  const { Kafka, logLevel } = await import('kafkajs');
  const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    for (let left = await ours(); left.length > 0; left = await ours()) {
      // One that is being deleted already answers with an error; it is gone at the next look.
      await admin.deleteTopics({ topics: left }).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } finally {
    await admin.disconnect();
  }

  async function ours(): Promise<string[]> {
    return (await admin.listTopics()).filter((topic) => TOPICS.includes(topic));
  }
}

/** Null when Docker does not answer. Throws when it answers and the broker does not start. */
async function startContainer(): Promise<KafkaForTests | null> {
  const { GenericContainer, Wait, getContainerRuntimeClient } = await import('testcontainers');
  try {
    await getContainerRuntimeClient();
  } catch {
    return null;
  }
  // The broker tells clients its own address, so the port outside must be known before it starts.
  const port = await freePort();
  const container = await new GenericContainer(IMAGE)
    .withExposedPorts({ container: 9092, host: port })
    .withEnvironment({
      KAFKA_NODE_ID: '1',
      KAFKA_PROCESS_ROLES: 'broker,controller',
      KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
      KAFKA_LISTENERS: 'PLAINTEXT://:9092,CONTROLLER://:9093',
      KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${port}`,
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
      KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
      KAFKA_INTER_BROKER_LISTENER_NAME: 'PLAINTEXT',
      KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
      KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
      KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
      KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
      KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
    })
    .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
    .start();
  return brokerAt([`127.0.0.1:${port}`], async () => {
    await container.stop();
  });
}
