import { tellOutage } from '../harness/outage-story.js';
import { STREAM_MODELS } from '../harness/stream-models.js';

tellOutage({ part: 'ledger', downMs: 90_000, model: STREAM_MODELS.twoMinutes });
tellOutage({ part: 'postgres', downMs: 20_000, model: STREAM_MODELS.twoMinutes });
