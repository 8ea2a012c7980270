import { tellKills } from '../harness/kill-story.js';

/** Fewer for a look at a change: what a run says is what it was run with. */
const rounds = Number(process.env.VENDO_CHAOS_ROUNDS || 10);

tellKills({
  log: 'own kafka',
  instances: { gateway: 2, ledger: 2, projector: 2 },
  rounds,
  parts: ['gateway', 'ledger', 'projector', 'postgres', 'kafka'],
  stops: Math.ceil(rounds / 2),
  silenceMs: 60_000,
});
