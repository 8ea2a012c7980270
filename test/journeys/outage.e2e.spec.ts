import { tellOutage } from '../harness/outage-story.js';
import { STREAM_MODELS } from '../harness/stream-models.js';

tellOutage({ part: 'ledger', downMs: 12_000, model: STREAM_MODELS.twentySeconds });
tellOutage({ part: 'postgres', downMs: 8_000, model: STREAM_MODELS.twentySeconds });
