import { tellKills } from '../harness/kill-story.js';
import { logOfSuite } from '../harness/log-of-suite.js';

const onKafka = logOfSuite() === 'kafka';

// The gateway after ledger and Postgres, for its silence begins anew when the ledger comes back; and before the others, so
// that it passes meanwhile.
tellKills({
  log: onKafka ? 'own kafka' : 'postgres',
  rounds: onKafka ? 2 : 1,
  parts: ['ledger', 'postgres', 'gateway', ...(onKafka ? (['kafka'] as const) : []), 'projector'],
  stops: 0,
  silenceMs: 20_000,
});
