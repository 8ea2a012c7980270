import type { Behaviour } from '../directives.js';
import { composeReply, promptTokens, textIn, tokensOf } from '../reply.js';
import { demandedTool, sampleOf } from '../tool-arguments.js';
import { type Json, listOf, newId, objectOf, wholeNumber } from '../wire.js';

const MEDIA_TOKENS = 258;
const TOKENS_PER_TOOL_USE = 1_000;

/** One answer of a model, in Gemini's own words; several routes tell it in theirs. */
export interface Generation {
  id: string;
  model: string;
  /** Of one candidate, in the order they are streamed in; thoughts first. */
  parts: readonly Json[];
  /** Candidate tokens that have been said when a part has. */
  saidWith: readonly number[];
  finishReason: string;
  candidates: number;
  /** Metadata of the candidate: what tools found. */
  grounding: Json;
  counts: Counts;
  silent: boolean;
}

interface Counts {
  prompt: readonly { modality: string; tokenCount: number }[];
  cached: number;
  toolUse: number;
  thoughts: number;
  /** Of all candidates; null when nothing was said. */
  said: number | null;
  saidModality: string | null;
}

/** What a request weighs, by modality; media are not text, however they are written. */
export function promptCounts(body: Json): { modality: string; tokenCount: number }[] {
  const contents = listOf(body.contents);
  const parts = contents.flatMap(partsOf);
  const media = parts
    .map(({ inlineData, fileData }) => objectOf(inlineData ?? fileData).mimeType)
    .filter((type) => type !== undefined)
    .map((type) => modalityOf(String(type)));
  const words = promptTokens([body.systemInstruction, wordsIn(parts), body.tools], contents.length);
  const counts = new Map([['TEXT', words]]);
  for (const modality of media) counts.set(modality, (counts.get(modality) ?? 0) + MEDIA_TOKENS);
  return [...counts].map(([modality, tokenCount]) => ({ modality, tokenCount }));
}

function partsOf(content: unknown): Json[] {
  return listOf(objectOf(content).parts).map(objectOf);
}

function wordsIn(parts: readonly Json[]): Json[] {
  return parts.filter(({ inlineData, fileData }) => inlineData === undefined && fileData === undefined);
}

function modalityOf(type: string): string {
  const kind = (type.split('/')[0] ?? '').toUpperCase();
  return ['IMAGE', 'VIDEO', 'AUDIO'].includes(kind) ? kind : 'DOCUMENT';
}

export function sumOf(counts: readonly { tokenCount: number }[]): number {
  return counts.reduce((sum, { tokenCount }) => sum + tokenCount, 0);
}

export function generate(model: string, behaviour: Behaviour, body: Json): Generation {
  const config = objectOf(body.generationConfig);
  const limit = wholeNumber(config.maxOutputTokens);
  const thoughts = Math.min(behaviour.reasoning ?? 0, limit ?? Number.POSITIVE_INFINITY);
  const question = textIn(wordsIn(partsOf(listOf(body.contents).at(-1))));
  const tools = toolUses(listOf(body.tools), question, behaviour);
  const said = behaviour.refusal
    ? { parts: [], tokens: 0, modality: null, finish: 'SAFETY' }
    : answerOf(body, question, behaviour, limit === null ? null : limit - thoughts);
  const candidates = wholeNumber(config.candidateCount) ?? 1;
  const thought = { text: 'x'.repeat(thoughts * 4), thought: true };
  // Thoughts are paid for whether they are shown or not.
  const showsThoughts = thoughts > 0 && objectOf(config.thinkingConfig).includeThoughts === true;
  const before = [...(showsThoughts ? [thought] : []), ...tools.parts];
  return {
    id: newId('sandbox'),
    model,
    parts: [...before, ...said.parts],
    saidWith: [...before.map(() => 0), ...runningTotal(said.parts, said.tokens)],
    finishReason: said.finish,
    candidates,
    grounding: tools.grounding,
    counts: {
      prompt: withCached(promptCounts(body), behaviour),
      cached: behaviour.cached ?? 0,
      toolUse: tools.tokens,
      thoughts,
      said: said.parts.length === 0 ? null : said.tokens * candidates,
      saidModality: said.modality,
    },
    silent: behaviour.nousage,
  };
}

/** Cached tokens are part of the prompt. */
function withCached(counts: { modality: string; tokenCount: number }[], { cached }: Behaviour) {
  return counts.map((count) =>
    count.modality === 'TEXT' ? { ...count, tokenCount: count.tokenCount + (cached ?? 0) } : count,
  );
}

interface Said {
  parts: readonly Json[];
  tokens: number;
  /** Null: text, which is not told. */
  modality: string | null;
  finish: string;
}

function answerOf(body: Json, question: string, behaviour: Behaviour, limit: number | null): Said {
  const modalities = listOf(objectOf(body.generationConfig).responseModalities);
  if (modalities.includes('AUDIO'))
    return media('audio/L16;codec=pcm;rate=24000', 'AUDIO', 32 * question.length);
  if (modalities.includes('IMAGE')) return media('image/png', 'IMAGE', 1_290);
  const tool = calledTool(body);
  if (tool) {
    const call = { name: tool.name, args: sampleOf(tool.parameters) };
    const tokens = promptTokens([call.name, JSON.stringify(call.args)], 1);
    return { parts: [{ functionCall: call }], tokens, modality: null, finish: 'STOP' };
  }
  const { pieces, tokens, cut } = composeReply(question, behaviour, limit);
  const parts = pieces.map((text) => ({ text }));
  return { parts, tokens, modality: null, finish: cut ? 'MAX_TOKENS' : 'STOP' };
}

function media(mimeType: string, modality: string, tokens: number): Said {
  const data = Buffer.alloc(tokens * 40).toString('base64');
  return { parts: [{ inlineData: { mimeType, data } }], tokens, modality, finish: 'STOP' };
}

function calledTool({ tools, toolConfig }: Json) {
  const declared = listOf(tools)
    .flatMap((tool) => listOf(objectOf(tool).functionDeclarations))
    .map(objectOf)
    .map(({ name, parameters, parametersJsonSchema }) => ({
      name: String(name),
      parameters: parameters ?? parametersJsonSchema,
    }));
  const { mode, allowedFunctionNames } = objectOf(objectOf(toolConfig).functionCallingConfig);
  const [allowed] = listOf(allowedFunctionNames);
  return demandedTool(declared, mode === 'ANY' ? (allowed === undefined ? true : String(allowed)) : null);
}

function runningTotal(parts: readonly Json[], tokens: number): number[] {
  let text = '';
  return parts.map((part, index) => {
    text += String(part.text ?? '');
    return index === parts.length - 1 ? tokens : tokensOf(text);
  });
}

/** Google's own tools. What a page or a program gave is input beside the prompt; searches are queries in the metadata. */
function toolUses(tools: readonly unknown[], question: string, { tooluses }: Behaviour) {
  const offered = new Set(tools.flatMap((tool) => Object.keys(objectOf(tool))));
  const times = tooluses ?? 1;
  const each = <Value>(make: () => Value): Value[] => Array.from({ length: times }, make);
  const code = offered.has('codeExecution')
    ? each(() => [
        { executableCode: { language: 'PYTHON', code: 'print(6 * 7)\n' } },
        { codeExecutionResult: { outcome: 'OUTCOME_OK', output: '42\n' } },
      ]).flat()
    : [];
  const page = { uri: 'https://pages.example/sandbox', title: 'A page of the sandbox' };
  const urlMetadata = each(() => ({
    retrievedUrl: page.uri,
    urlRetrievalStatus: 'URL_RETRIEVAL_STATUS_SUCCESS',
  }));
  const searched = { webSearchQueries: each(() => question.slice(0, 100)), groundingChunks: [{ web: page }] };
  const reads = Number(offered.has('urlContext')) + Number(offered.has('codeExecution'));
  return {
    parts: code as Json[],
    tokens: reads * times * TOKENS_PER_TOOL_USE,
    grounding: {
      ...(offered.has('googleSearch') ? { groundingMetadata: searched } : {}),
      ...(offered.has('urlContext') ? { urlContextMetadata: { urlMetadata } } : {}),
    },
  };
}

/** `usageMetadata`. @param said candidate tokens so far; null: none, and then no count stands there. */
export function usageMetadata(counts: Counts, said: number | null): Json {
  const { prompt, cached, toolUse, thoughts, saidModality } = counts;
  const promptTokenCount = sumOf(prompt);
  const text = (tokenCount: number): Json[] => [{ modality: 'TEXT', tokenCount }];
  return {
    promptTokenCount,
    ...(said === null ? {} : { candidatesTokenCount: said }),
    totalTokenCount: promptTokenCount + (said ?? 0) + thoughts + toolUse,
    ...(cached === 0 ? {} : { cachedContentTokenCount: cached }),
    promptTokensDetails: prompt,
    ...(cached === 0 ? {} : { cacheTokensDetails: text(cached) }),
    ...(said === null || saidModality === null
      ? {}
      : { candidatesTokensDetails: [{ modality: saidModality, tokenCount: said }] }),
    ...(toolUse === 0 ? {} : { toolUsePromptTokenCount: toolUse, toolUsePromptTokensDetails: text(toolUse) }),
    ...(thoughts === 0 ? {} : { thoughtsTokenCount: thoughts }),
    serviceTier: 'standard',
  };
}
