import { tellKills } from '../harness/kill-story.js';

tellKills({
  streams: 200,
  parts: [
    'gateway',
    'postgres',
    'gateway',
    'ledger',
    'gateway',
    'projector',
    'ledger',
    'postgres',
    'gateway',
    'postgres',
    'ledger',
    'gateway',
  ],
});
