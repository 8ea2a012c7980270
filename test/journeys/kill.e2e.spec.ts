import { missingForKafka } from '../../tools/kafka/kafka.mjs';
import { tellKills } from '../harness/kill-story.js';

// The gateway after ledger and Postgres, for its silence begins anew when the ledger comes back; and before the others, so
// that it passes meanwhile.
tellKills({
  log: 'postgres',
  rounds: 1,
  parts: ['ledger', 'postgres', 'gateway', 'projector'],
  stops: 0,
  silenceMs: 20_000,
});

const missing = await missingForKafka();
if (missing && process.env.CI === 'true') throw new Error(`no ${missing}: nothing is killed beside Kafka`);
if (missing) process.stderr.write(`NOTHING WAS KILLED BESIDE KAFKA: there is no ${missing}\n`);
else
  tellKills({
    log: 'own kafka',
    rounds: 2,
    parts: ['ledger', 'postgres', 'gateway', 'kafka', 'projector'],
    stops: 0,
    silenceMs: 20_000,
  });
