import { runMain } from '@vendo/runtime';
import { sandboxConfig } from './config.js';
import { startSandbox } from './sandbox.js';

runMain(() => startSandbox(sandboxConfig(process.env)), { closeWithinMs: 2_000 });
