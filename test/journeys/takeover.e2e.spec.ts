import { tellTakeovers } from '../harness/takeover-story.js';

// The promise of 5 s is held by the long form, on a machine of its own; that of CI is a slow one.
tellTakeovers({ deaths: 2, stops: 1, withinMs: 7_000 });
