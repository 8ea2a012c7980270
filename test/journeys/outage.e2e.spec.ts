import { tellOutage } from '../harness/outage-story.js';
import { STREAM_MODELS } from '../harness/stream-models.js';

tellOutage({ part: 'ledger', how: 'killed', downMs: 12_000, model: STREAM_MODELS.twentySeconds });
tellOutage({ part: 'postgres', how: 'killed', downMs: 8_000, model: STREAM_MODELS.twentySeconds });
tellOutage({ part: 'ledger', how: 'stopped', downMs: 9_000, model: STREAM_MODELS.twentySeconds });
