import { tellTakeovers } from '../harness/takeover-story.js';

tellTakeovers({ deaths: 20, stops: 5, withinMs: 5_000 });
