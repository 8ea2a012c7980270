import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { hasPython } from '../../tools/python/environment.js';
import { aiSdkStories } from './sdks/ai-sdk.js';
import { ANTHROPIC_MODELS, anthropicStories } from './sdks/anthropic.js';
import { anthropic0Stories } from './sdks/anthropic-0.js';
import { ASSEMBLYAI_RATES, assemblyaiStories } from './sdks/assemblyai.js';
import { composioStories } from './sdks/composio.js';
import { ELEVENLABS_RATES, elevenlabsStories } from './sdks/elevenlabs.js';
import { GEMINI_MODELS, geminiStories } from './sdks/gemini.js';
import { OPENAI_MODELS, openaiStories } from './sdks/openai.js';
import { openai6Stories } from './sdks/openai-6.js';
import { openrouterStories } from './sdks/openrouter.js';
import { type Outside, startOutside } from './sdks/outside.js';
import { productForSdks, type SdkProduct } from './sdks/product.js';
import { PYTHON_MODELS, Python, pythonStories } from './sdks/python.js';
import { recordedStories } from './sdks/recorded.js';
import { telegramStories } from './sdks/telegram.js';
import { variableStories } from './sdks/variables.js';

const MODELS = new Set([...OPENAI_MODELS, ...ANTHROPIC_MODELS, ...GEMINI_MODELS, ...PYTHON_MODELS]);

// Known before the stories are declared, so that a machine without Python says so and tells none of it.
const withPython = await hasPython();
if (!withPython) process.stderr.write('THE PYTHON SDKS WERE NOT TESTED: there is no Python 3 with venv\n');

/** SDKs as npm and PyPI have them, given a base URL and a key and nothing else, against the sandbox. */
describe('unmodified, through the gateway', () => {
  let outside: Outside;
  let product: SdkProduct;
  // It comes while the product starts.
  const python = withPython ? Python.start() : null;
  python?.catch(() => undefined);

  beforeAll(async () => {
    outside = await startOutside();
    product = await productForSdks([...MODELS], [...ELEVENLABS_RATES, ...ASSEMBLYAI_RATES], {
      upstreams: outside.upstreams,
      env: { VENDO_JOBS_POLL_MS: '500' },
    });
  });
  afterAll(async () => {
    await product?.stop();
    await outside?.stop();
    await (await python)?.stop();
  });

  // Before the others: some SDKs keep what they have read of the environment once.
  describe('SDKs told by their variables alone', () => variableStories(() => product));
  describe('the openai SDK', () => openaiStories(() => product));
  describe('the openai SDK of Node 20', () => openai6Stories(() => product));
  describe('the Anthropic SDK', () => anthropicStories(() => product));
  describe('the Anthropic SDK before 1.0', () => anthropic0Stories(() => product));
  describe('the Gemini SDK', () => geminiStories(() => product));
  describe('the OpenRouter SDK', () => openrouterStories(() => product));
  describe('the ElevenLabs SDK', () => elevenlabsStories(() => product));
  describe('the AssemblyAI SDK', () =>
    assemblyaiStories(
      () => product,
      () => outside,
    ));
  describe('the Composio SDK', () => composioStories(() => product));
  describe('the Telegram SDK', () =>
    telegramStories(
      () => product,
      () => outside,
    ));
  describe('the AI SDK', () => aiSdkStories(() => product));
  if (python) describe('the Python SDK', () => pythonStories(() => product, python));
  else
    it('may not be left out without Python where everything must hold', () =>
      expect(process.env.CI).toBeUndefined());

  describe('an answer', () =>
    recordedStories(
      () => product,
      () => outside.replay,
      python,
    ));

  it('they were served by processes that never died', () => expect(product.deaths()).toEqual([]));
});
