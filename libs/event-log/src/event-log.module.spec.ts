import { describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { GATEWAY_TOPIC } from '@vendo/events';
import { RuntimeModule } from '@vendo/runtime';
import { eventLogConfig } from './config.js';
import { record } from './event-log.contract.js';
import { EventLog } from './event-log.js';
import { EventLogModule } from './event-log.module.js';

describe('EventLogModule', () => {
  it('provides the log, and closes it when the app shuts down', async () => {
    const app = await Test.createTestingModule({
      imports: [RuntimeModule.forApp('spec', 'silent'), EventLogModule.from({ kind: 'memory' })],
    }).compile();
    const log = app.get(EventLog, { strict: false });
    await log.createTopics(1);
    expect(await log.append(GATEWAY_TOPIC, 0, [record('a')])).toBe(1n);
    await app.close();
    await expect(log.append(GATEWAY_TOPIC, 0, [record('b')])).rejects.toThrow('closed');
  });
});

describe('eventLogConfig', () => {
  const DATABASE_URL = 'postgres://127.0.0.1/vendo';
  it.each([
    ['Postgres without brokers', undefined, { kind: 'postgres', databaseUrl: DATABASE_URL }],
    ['Kafka with brokers', ['k:9092'], { kind: 'kafka', brokers: ['k:9092'], databaseUrl: DATABASE_URL }],
  ])('chooses %s', (_, KAFKA_BROKERS, config) => {
    expect(eventLogConfig({ DATABASE_URL, KAFKA_BROKERS })).toEqual(config);
  });
});
