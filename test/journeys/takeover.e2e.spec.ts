import { tellTakeovers } from '../harness/takeover-story.js';

// The promise of 5 s is held by the long form, which has the machine to itself.
tellTakeovers({ deaths: 2, stops: 1, withinMs: 7_000 });
