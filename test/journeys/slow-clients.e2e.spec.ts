import { tellSlowClients } from '../harness/slow-clients-story.js';

tellSlowClients({ clients: 100, readForMs: 10_000, aloneForMs: 6_000, flat: 1.25, p99FloorMs: 150 });
