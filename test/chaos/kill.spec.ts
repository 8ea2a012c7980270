import { tellKills } from '../harness/kill-story.js';

tellKills({
  log: 'own kafka',
  rounds: 10,
  parts: ['gateway', 'ledger', 'projector', 'postgres', 'kafka'],
  stops: 5,
});
