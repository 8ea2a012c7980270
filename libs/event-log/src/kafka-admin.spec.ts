import { describe, expect, it } from '@jest/globals';
import { GATEWAY_TOPIC } from '@vendo/events';
import { SystemClock } from '@vendo/runtime';
import kafkajs, { type Kafka } from 'kafkajs';
import { isOutage, KafkaAdmin } from './kafka-admin.js';

const noLeader = protocolError('NOT_LEADER_FOR_PARTITION', true);
const refused = new kafkajs.KafkaJSConnectionError('connect ECONNREFUSED');

function protocolError(type: string, retriable: boolean): Error {
  return new kafkajs.KafkaJSProtocolError(
    Object.assign(new Error(type), { name: 'KafkaJSError', type, code: 6, retriable }),
  );
}

/** A broker that answers the questions for offsets in turn; `connections` counts its clients. */
function brokerThat(...answers: (Error | 'answers')[]) {
  const broker = { connections: 0, admin: new KafkaAdmin({ admin } as unknown as Kafka, new SystemClock()) };
  return broker;

  function admin() {
    broker.connections += 1;
    return {
      connect: async () => undefined,
      disconnect: async () => undefined,
      fetchTopicOffsets: async () => {
        const answer = answers.shift();
        if (answer instanceof Error) throw answer;
        return [{ partition: 0, low: '0', high: '7', offset: '7' }];
      },
    };
  }
}

describe('what the log asks of a Kafka broker', () => {
  it('waits for a partition that has no leader yet, with a connection that has not heard of the old one', async () => {
    const broker = brokerThat(noLeader, noLeader, 'answers');
    expect((await broker.admin.bounds(GATEWAY_TOPIC)).get(0)).toEqual({ low: 0n, head: 7n });
    expect(broker.connections).toBe(3);
  });

  it('does not wait for a broker that is away, and connects anew when it is asked again', async () => {
    const broker = brokerThat(refused, 'answers', 'answers');
    await expect(broker.admin.bounds(GATEWAY_TOPIC)).rejects.toThrow(refused);
    await broker.admin.bounds(GATEWAY_TOPIC);
    await broker.admin.bounds(GATEWAY_TOPIC);
    expect(broker.connections).toBe(2);
  });

  it.each([
    ['no connection', refused, true],
    ['a partition without a leader', noLeader, true],
    ['a refusal', protocolError('INVALID_REPLICATION_FACTOR', false), false],
    ['an error of our own', new Error('x'), false],
  ])('tells an outage from what asking again does not mend: %s', (_what, error, outage) =>
    expect(isOutage(error)).toBe(outage),
  );
});
