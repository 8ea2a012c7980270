import { tellKafkaOutage } from '../harness/kafka-outage-story.js';
import { STREAM_MODELS } from '../harness/stream-models.js';

await tellKafkaOutage({ stoppedMs: 90_000, longModel: STREAM_MODELS.untilReleasedLate });
