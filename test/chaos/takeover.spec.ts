import { tellProjectorTakeovers } from '../harness/projector-takeover-story.js';
import { tellTakeovers } from '../harness/takeover-story.js';

tellTakeovers({ deaths: 20, stops: 5, withinMs: 5_000 });
tellProjectorTakeovers({ deaths: 10, stops: 5, withinMs: 5_000 });
