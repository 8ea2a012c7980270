import { SAME_SIGNAL_MS } from '@vendo/runtime';
import { StartError } from './data-folder.js';
import { demoTenant } from './demo.js';
import { type Product, startProduct } from './product.js';
import { welcome } from './welcome.js';

/** `npm start`: the whole product on this machine, with a demo tenant, until Ctrl-C. */
async function main(): Promise<void> {
  const stopping = new AbortController();
  let product: Product | undefined;

  let stoppedAt = 0;
  const stop = (): void => {
    if (stopping.signal.aborted) {
      if (performance.now() - stoppedAt > SAME_SIGNAL_MS) product?.hurry();
      return;
    }
    stoppedAt = performance.now();
    stopping.abort();
    if (product) void end(product);
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  process.on('SIGHUP', stop);

  try {
    const dataFolder = process.env.VENDO_DATA_DIR || 'var';
    product = await startProduct({ dataFolder, env: process.env, report: say, signal: stopping.signal });
    if (stopping.signal.aborted) return end(product);
    const demo = await demoTenant(product.dataFolder, product.urls.gateway, product.secrets.adminToken);
    if (!stopping.signal.aborted) process.stdout.write(welcome(product, demo));
  } catch (thrown) {
    if (stopping.signal.aborted && !product) process.exit(0);
    if (stopping.signal.aborted) return;
    say(thrown instanceof StartError ? thrown.message : `${thrown instanceof Error ? thrown.stack : thrown}`);
    await product?.stop();
    process.exit(1);
  }
}

/** Exit 0 when every part ended by itself, else 1 and a line that names those that did not. */
async function end(product: Product): Promise<void> {
  say('stopping: open calls get 25 s; Ctrl-C again cuts them');
  const unclean = await product.stop();
  say(unclean.length === 0 ? 'everything has ended' : `did not end cleanly: ${unclean.join(', ')}`);
  process.exit(unclean.length === 0 ? 0 : 1);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main();
