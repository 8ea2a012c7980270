import Anthropic from '@anthropic-ai/sdk';
import ComposioClient from '@composio/client';
import { Composio } from '@composio/core';
import { GoogleGenAI } from '@google/genai';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { OpenRouter } from '@openrouter/sdk';
import OpenAI from 'openai';
// The SDK of Gemini hands its requests to the dispatcher of Node's fetch, which Jest keeps away from a test.
import 'undici';
import { PROVIDERS } from '../../../apps/gateway/src/providers/registry.js';
import { sdkEnvironment } from '../../../apps/gateway/src/providers/sdk-environment.js';
import { QUIET } from './composio.js';
import type { Given, SdkProduct } from './product.js';

/** A free call of each SDK that reads the variables of a key and a base URL, made without any configuration. */
const FREE_CALLS: Readonly<Record<string, [sdk: string, call: () => Promise<unknown>][]>> = {
  openai: [['openai', () => new OpenAI().models.list()]],
  anthropic: [['@anthropic-ai/sdk', () => new Anthropic().models.list()]],
  gemini: [['@google/genai', () => new GoogleGenAI({}).models.list()]],
  openrouter: [['@openrouter/sdk', () => new OpenRouter().models.list()]],
  composio: [
    ['@composio/client', () => new ComposioClient().tools.list()],
    ['@composio/core', () => new Composio(QUIET).toolkits.get()],
  ],
};

export function variableStories(given: Given): void {
  let product: SdkProduct;
  let set: string[] = [];
  beforeAll(() => {
    product = given();
  });
  afterEach(() => {
    for (const name of set) delete process.env[name];
    set = [];
  });

  describe.each(Object.entries(FREE_CALLS))('%s', (slug, calls) => {
    it.each(calls)('%s comes here, with our key', async (_, call) => {
      const user = await product.sdkUser(slug);
      const provider = PROVIDERS.find((one) => one.slug === slug);
      const variables = provider ? sdkEnvironment(provider, product.proxyUrl(slug), user.key) : {};
      set = Object.keys(variables);
      Object.assign(process.env, variables);
      const answered = await product.callsAnswered('2xx');
      await call();
      expect(await product.callsAnswered('2xx')).toBe(answered + 1);
    });
  });

  it('are all whose base URL has a variable, but for one that npm does not have', () => {
    const read = PROVIDERS.filter(({ variables }) => variables.baseUrl).map(({ slug }) => slug);
    expect(read.filter((slug) => !Object.hasOwn(FREE_CALLS, slug))).toEqual(['muapi']);
  });
}
