import { tellProjectorTakeovers } from '../harness/projector-takeover-story.js';

// As in takeover.e2e.spec.ts.
tellProjectorTakeovers({ deaths: 2, stops: 1, withinMs: 7_000 });
