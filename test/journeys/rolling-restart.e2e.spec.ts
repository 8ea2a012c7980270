import { tellRollingRestart } from '../harness/rolling-restart-story.js';

tellRollingRestart();
