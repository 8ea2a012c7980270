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
