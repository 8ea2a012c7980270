import { tellOutage } from '../harness/outage-story.js';
import { STREAM_MODELS } from '../harness/stream-models.js';

const story = { downMs: 90_000, model: STREAM_MODELS.untilReleasedLate, instances: { ledger: 2 } };
tellOutage({ ...story, part: 'ledger', how: 'killed' });
tellOutage({ ...story, part: 'postgres', how: 'killed' });
tellOutage({ ...story, part: 'ledger', how: 'stopped' });
