import { Rational } from '@vendo/money';
import type { Quantity } from '@vendo/pricing';
import { countOf, type Foreign, isObject, listOf, nameOf, objectOf } from '../foreign-json.js';
import { quantitiesOf, soundOnes } from '../quantities.js';
import { imageCounts } from './openai.answer.js';
import { rateKeys } from './openai.models.js';

/** The model of the image tool where neither request nor answer names one. */
const IMAGE_TOOL_MODEL = 'gpt-image-2';
/** The rate key of searches of the older kind by models that do not reason: dearer, with what is found for free. */
const PREVIEW_SEARCH = 'web_search_preview';
const NOT_REASONING = /^(?:openai\/)?(?:ft:)?(?:gpt-4|gpt-3|chatgpt-4o)/;

/**
 * What tools at OpenAI cost beside the tokens of `usage`: searches, file searches, container sessions, and the tokens
 * of the image tool at its own model's price.
 * @param asked the request's model.
 * @param ownContainers ids of containers that the request named: they exist, so they are no new session.
 */
export function toolFees(response: Foreign, asked: string, ownContainers: ReadonlySet<string>): Quantity[] {
  const calls = listOf(response.output).map(objectOf);
  const usage = objectOf(response.tool_usage);
  const tools = listOf(response.tools).map(objectOf);
  const searches = countOf(objectOf(usage.web_search).num_requests) ?? calls.filter(isSearch).length;
  const containers = calls.map(containerOf).filter((id) => id !== null && !ownContainers.has(id));
  return [
    ...imageFees(usage.image_gen, tools),
    ...searchesOf(searches, nameOf(response.model) ?? asked, tools.some(isPreviewSearch)),
    ...quantitiesOf({
      file_searches: calls.filter(({ type }) => type === 'file_search_call').length,
      code_sessions: new Set(containers).size,
    }),
  ];
}

/** Searches at the price of their kind; where no price is kept for the older kind, at the model's. */
export function searchesOf(count: number, model: string, isPreview: boolean): Quantity[] {
  if (count === 0) return [];
  const isDearer = isPreview && NOT_REASONING.test(model);
  const keys = isDearer ? { rateKeys: [PREVIEW_SEARCH, ...rateKeys(model)] } : {};
  return [{ meter: 'web_searches', quantity: Rational.of(BigInt(count)), ...keys }];
}

function imageFees(images: unknown, tools: readonly Foreign[]): Quantity[] {
  if (!isObject(images)) return [];
  const counts = imageCounts(images);
  if (!Object.values(counts).some((count) => count !== null && count > 0)) return [];
  const tool = tools.find(({ type }) => type === 'image_generation');
  const model = nameOf(tool?.model) ?? IMAGE_TOOL_MODEL;
  return quantitiesOf(soundOnes(counts), { model, rateKeys: rateKeys(model) });
}

/** Opening a page and finding in it are not billed; calls of before the actions had names are. */
function isSearch({ type, action }: Foreign): boolean {
  if (type !== 'web_search_call') return false;
  const kind = objectOf(action).type;
  return kind === undefined || kind === 'search';
}

function isPreviewSearch({ type }: Foreign): boolean {
  return typeof type === 'string' && type.startsWith('web_search_preview');
}

/** The container that a call ran in; null for calls without one. */
function containerOf({ type, container_id, environment }: Foreign): string | null {
  if (type === 'code_interpreter_call') return nameOf(container_id) ?? '';
  return type === 'shell_call' ? nameOf(objectOf(environment).container_id) : null;
}
