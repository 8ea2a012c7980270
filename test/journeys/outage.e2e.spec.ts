import { logOfSuite } from '../harness/log-of-suite.js';
import { tellOutage } from '../harness/outage-story.js';
import { STREAM_MODELS } from '../harness/stream-models.js';

// While Postgres is away, Kafka goes on and nobody reads it; on the Postgres log both are away. What a ledger does that is
// away says the same on either.
tellOutage({ part: 'postgres', how: 'killed', downMs: 8_000, model: STREAM_MODELS.twentySeconds });
if (logOfSuite() === 'postgres') {
  tellOutage({ part: 'ledger', how: 'killed', downMs: 12_000, model: STREAM_MODELS.twentySeconds });
  tellOutage({ part: 'ledger', how: 'stopped', downMs: 9_000, model: STREAM_MODELS.twentySeconds });
}
