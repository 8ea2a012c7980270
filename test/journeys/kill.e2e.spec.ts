import { tellKills } from '../harness/kill-story.js';
import { logOfSuite } from '../harness/log-of-suite.js';

const onKafka = logOfSuite() === 'kafka';

// The gateway after ledger and Postgres: the 60 s of silence begin anew when the ledger comes back.
tellKills({
  log: onKafka ? 'own kafka' : 'postgres',
  rounds: 2,
  parts: ['ledger', 'postgres', ...(onKafka ? (['kafka'] as const) : []), 'gateway', 'projector'],
  stops: 0,
});
