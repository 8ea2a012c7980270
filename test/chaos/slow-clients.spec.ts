import { tellSlowClients } from '../harness/slow-clients-story.js';

tellSlowClients({ clients: 1_000, readForMs: 120_000, aloneForMs: 60_000 });
