import { logOfSuite } from '../harness/log-of-suite.js';
import { tellOutage } from '../harness/outage-story.js';
import { STREAM_MODELS } from '../harness/stream-models.js';

// While Postgres is away, Kafka goes on and nobody reads it; on the Postgres log both are away. A ledger that is away says
// the same on either; one that hangs is in test/chaos.
tellOutage({ part: 'postgres', how: 'killed', downMs: 8_000, model: STREAM_MODELS.untilReleased });
if (logOfSuite() === 'postgres')
  tellOutage({ part: 'ledger', how: 'killed', downMs: 12_000, model: STREAM_MODELS.untilReleased });
