import { tellProjectorTakeovers } from '../harness/projector-takeover-story.js';

tellProjectorTakeovers({ deaths: 2, stops: 1, withinMs: 5_000 });
