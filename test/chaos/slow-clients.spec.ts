import { tellSlowClients } from '../harness/slow-clients-story.js';

// Under 25 ms a collection of garbage would decide.
tellSlowClients({ clients: 1_000, readForMs: 120_000, aloneForMs: 60_000, flat: 1.1, p99FloorMs: 25 });
