import { tellKills } from '../harness/kill-story.js';

// The gateway after ledger and Postgres: the 60 s of silence begin anew when the ledger comes back.
tellKills({ streams: 60, parts: ['ledger', 'postgres', 'gateway', 'projector'] });
