import { tellOutage } from '../harness/outage-story.js';
import { STREAM_MODELS } from '../harness/stream-models.js';

tellOutage({ part: 'ledger', how: 'killed', downMs: 90_000, model: STREAM_MODELS.twoMinutes });
tellOutage({ part: 'postgres', how: 'killed', downMs: 90_000, model: STREAM_MODELS.twoMinutes });
tellOutage({ part: 'ledger', how: 'stopped', downMs: 90_000, model: STREAM_MODELS.twoMinutes });
