import type { Projection } from '../projection.js';
import { usage } from './usage/usage.projection.js';
import { wallet } from './wallet/wallet.projection.js';

/** Every projection that runs. The runner hands each only the events that its `handles` names. */
export const PROJECTIONS: readonly Projection[] = [usage, wallet];
