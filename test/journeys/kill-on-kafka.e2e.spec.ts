import { describe } from '@jest/globals';
import { missingForKafka } from '../../tools/kafka/kafka.mjs';
import { tellKills } from '../harness/kill-story.js';

const missing = await missingForKafka();
if (missing && process.env.CI === 'true') throw new Error(`no ${missing}: nothing is killed beside Kafka`);
if (missing) process.stderr.write(`NOTHING WAS KILLED BESIDE KAFKA: there is no ${missing}\n`);

(missing ? describe.skip : describe)('on Kafka', () => {
  // In the order of kill.e2e.spec.ts, and the broker, which is the product's own.
  tellKills({
    log: 'own kafka',
    rounds: 2,
    parts: ['ledger', 'postgres', 'gateway', 'kafka', 'projector'],
    stops: 0,
    silenceMs: 20_000,
  });
});
