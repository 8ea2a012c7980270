import { tellRollingRestart } from '../harness/rolling-restart-story.js';
import { tellTakeovers } from '../harness/takeover-story.js';

tellTakeovers({ deaths: 2, stops: 1, withinMs: 5_000 });
tellRollingRestart();
