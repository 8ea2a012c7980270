import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type Anthropic from '@anthropic-ai/sdk';
import { beforeAll, describe, expect, it } from '@jest/globals';
import type OpenAI from 'openai';
import { providerBySlug } from '../../../apps/gateway/src/providers/registry.js';
import { sdkEnvironment } from '../../../apps/gateway/src/providers/sdk-environment.js';
import { pythonEnvironment } from '../../../tools/python/environment.js';
import { LIST_PRICES, type Tokens } from '../charge-by-hand.js';
import { chatTokens, type Given, messageTokens, type SdkProduct } from './product.js';

const VAR = path.join(import.meta.dirname, '..', '..', '..', 'var');
const REQUIREMENTS = path.join(import.meta.dirname, 'python-requirements.txt');
const SCRIPT = path.join(import.meta.dirname, 'python-sdks.py');
const PACED = 'sandbox-chunks30-pace20';
/** Models of the sandbox that these stories need a price of. */
export const PYTHON_MODELS = [PACED, 'sandbox-status404'];
const SAID = 'You said: Answer me piece by piece, please';

type Sdk = 'openai' | 'anthropic';
type Ask = 'whole' | 'streamed' | 'tool' | 'left';

/** What one call made of its answer. */
interface Said {
  text?: string;
  usage?: unknown;
  [field: string]: unknown;
}

const SDKS = [
  {
    sdk: 'openai' as const,
    model: 'gpt-4o-mini' as const,
    tokensOf: (usage: unknown) => chatTokens(usage as OpenAI.CompletionUsage),
    unpaid: 'APIStatusError',
  },
  {
    sdk: 'anthropic' as const,
    model: 'claude-haiku-4-5' as const,
    tokensOf: (usage: unknown) => messageTokens(usage as Anthropic.Usage),
    unpaid: 'PaymentRequiredError',
  },
];

/** One Python for all calls: to load both SDKs takes it seconds. */
export class Python {
  private constructor(
    private readonly child: ChildProcess,
    private readonly lines: AsyncIterator<string>,
  ) {}

  /** Installs both SDKs where they are missing. */
  static async start(): Promise<Python> {
    const bin = await pythonEnvironment(VAR, 'sdks', REQUIREMENTS);
    const child = spawn(path.join(bin, 'python'), [SCRIPT], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { PATH: process.env.PATH, NO_PROXY: '*' },
    });
    return new Python(child, createInterface({ input: child.stdout })[Symbol.asyncIterator]());
  }

  /**
   * What the SDK parsed, given the address and the key as the variables that it reads.
   * @param root the origin or the path of its provider.
   */
  async ask(sdk: Sdk, ask: Ask, model: string, root: string, key: string): Promise<Said> {
    const provider = providerBySlug(sdk);
    if (!provider) throw new Error(`there is no provider ${sdk}`);
    const env = sdkEnvironment(provider, root, key);
    this.child.stdin?.write(`${JSON.stringify({ sdk, ask, model, env })}\n`);
    const { value, done } = await this.lines.next();
    if (done) throw new Error('Python ended');
    return JSON.parse(value);
  }

  async stop(): Promise<void> {
    const ended = once(this.child, 'exit');
    this.child.stdin?.end();
    if (this.child.exitCode === null) await ended;
  }
}

export function pythonStories(given: Given, started: Promise<Python>): void {
  let product: SdkProduct;
  let python: Python;
  beforeAll(async () => {
    product = given();
    python = await started;
  });

  describe.each(SDKS)('$sdk', ({ sdk, model, tokensOf, unpaid }) => {
    const ask = (what: Ask, of: string, { key }: { key: string }) =>
      python.ask(sdk, what, of, product.proxyUrl(sdk), key);
    const charge = (tokens: Tokens) => ({ tokens, prices: LIST_PRICES[model] });

    it('gets an answer', async () => {
      const user = await product.sdkUser();
      const { text, usage } = await ask('whole', model, user);
      expect(text).toBe(SAID);
      await product.expectOneCharge(user, charge(tokensOf(usage)));
    });

    it('streams an answer', async () => {
      const user = await product.sdkUser();
      const { text, usage, deltas } = await ask('streamed', model, user);
      expect(text).toBe(SAID);
      expect(deltas).toBeGreaterThan(5);
      await product.expectOneCharge(user, charge(tokensOf(usage)));
    });

    it('is given a tool call', async () => {
      const user = await product.sdkUser();
      const { tool, input, usage } = await ask('tool', model, user);
      expect({ tool, input }).toEqual({ tool: 'echo', input: { times: 1 } });
      await product.expectOneCharge(user, charge(tokensOf(usage)));
    });

    it("raises its own errors for the provider's 404 and our 402", async () => {
      const user = await product.sdkUser();
      expect(await ask('streamed', 'sandbox-status404', user)).toMatchObject({
        error: 'NotFoundError',
        status: 404,
      });
      const refused = await ask('whole', 'unheard-of', user);
      expect(refused).toMatchObject({ error: unpaid, status: 402 });
      expect(JSON.stringify(refused)).toContain('"rate_missing"');
      await product.expectNoCharge(user);
    });

    it('pays what the provider would have reported when it leaves a stream in the middle', async () => {
      const user = await product.sdkUser();
      await ask('left', PACED, user);
      const { usage } = await python.ask(sdk, 'whole', PACED, product.urls.sandbox, 'direct');
      await product.expectOneCharge(user, {
        tokens: tokensOf(usage),
        prices: LIST_PRICES.sandbox,
        outcome: 'client_aborted',
        evidence: 'drained',
      });
    });
  });
}
