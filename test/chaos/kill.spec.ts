import { tellKills } from '../harness/kill-story.js';

tellKills({
  log: 'own kafka',
  instances: { gateway: 2, ledger: 2, projector: 2 },
  rounds: 10,
  parts: ['gateway', 'ledger', 'projector', 'postgres', 'kafka'],
  stops: 5,
});
