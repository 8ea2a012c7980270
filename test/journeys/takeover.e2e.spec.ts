import { tellTakeovers } from '../harness/takeover-story.js';

tellTakeovers({ deaths: 2, stops: 1, withinMs: 5_000 });
