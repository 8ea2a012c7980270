import { Rational } from '@vendo/money';
import type { Quantity } from '@vendo/pricing';
import { countOf, type Foreign, isObject, listOf, nameOf, objectOf } from '../foreign-json.js';
import type { Fee } from '../provider.js';
import { isSound, quantitiesOf, soundOnes } from '../quantities.js';
import { imageCounts, isAbsent, type Others, shareIn } from './openai.answer.js';
import { rateKeys } from './openai.models.js';

/** The model of the image tool where neither request nor answer names one. */
const IMAGE_TOOL_MODEL = 'gpt-image-2';
/** The rate key of searches of the older kind by models that do not reason: dearer, with what is found for free. */
const PREVIEW_SEARCH = 'web_search_preview';
const NOT_REASONING = /^(?:openai\/)?(?:ft:)?(?:gpt-4|gpt-3|chatgpt-4o)/;

/** What of a request decides what its tools cost. */
export interface AskedTools {
  model: string;
  /** All that it gives. */
  tools: readonly Foreign[];
  /** Ids of containers that it names: they exist, so they are no new session. */
  ownContainers: ReadonlySet<string>;
}

/**
 * What tools at OpenAI cost beside the tokens of `usage`: searches, file searches, container sessions, and the tokens
 * of the image tool at its own model's price.
 */
export function toolFees(response: Foreign, asked: AskedTools): Others {
  const calls = listOf(response.output).map(objectOf);
  const usage = objectOf(response.tool_usage);
  const tools = listOf(response.tools).map(objectOf);
  const told = countOf(objectOf(usage.web_search).num_requests);
  const searches = told ?? calls.filter(isSearch).length;
  const images = imageFees(usage.image_gen, tools);
  return {
    quantities: [
      ...images.quantities,
      ...searchesOf(searches, nameOf(response.model) ?? asked.model, tools.some(isPreviewSearch)),
      ...quantitiesOf({ file_searches: calls.filter(({ type }) => type === 'file_search_call').length }),
      ...sessionsOf(calls, [...asked.tools, ...tools], asked.ownContainers),
    ],
    isSound:
      (isAbsent(response.tool_usage) || isObject(response.tool_usage)) &&
      shareIn(usage.web_search, 'num_requests') !== null &&
      images.isSound,
  };
}

/** Searches at the price of their kind; where no price is kept for the older kind, at the model's. */
export function searchesOf(count: number, model: string, isPreview: boolean): Quantity[] {
  if (count === 0) return [];
  const isDearer = isPreview && NOT_REASONING.test(model);
  const keys = isDearer ? { rateKeys: [PREVIEW_SEARCH, ...rateKeys(model)] } : {};
  return [{ meter: 'web_searches', quantity: Rational.of(BigInt(count)), ...keys }];
}

function imageFees(images: unknown, tools: readonly Foreign[]): Others {
  if (!isObject(images)) return { quantities: [], isSound: isAbsent(images) };
  const counts = imageCounts(images);
  // Of a side that is not said in whole nor in part nothing was done.
  if (
    isAbsent(images.input_tokens) &&
    isAbsent(images.input_tokens_details) &&
    isAbsent(images.cached_tokens)
  )
    counts.input_tokens = 0;
  if (isAbsent(images.output_tokens) && isAbsent(images.output_tokens_details)) counts.output_tokens = 0;
  const isDone = Object.values(counts).some((count) => count !== null && count > 0);
  const tool = tools.find(({ type }) => type === 'image_generation');
  const model = nameOf(tool?.model) ?? IMAGE_TOOL_MODEL;
  return {
    quantities: isDone ? quantitiesOf(soundOnes(counts), { model, rateKeys: rateKeys(model) }) : [],
    isSound: isSound(counts),
  };
}

/** A new container has so much memory unless its tool says otherwise; others have prices of their own. */
const PLAIN_SIZE = '1g';
const SIZE = /^[1-9]\d{0,4}g$/;

/** Sessions of new containers, each at the price of its size: the largest that a tool of its call may have made. */
function sessionsOf(
  calls: readonly Foreign[],
  tools: readonly Foreign[],
  ownContainers: ReadonlySet<string>,
): Quantity[] {
  const sizes = new Map<string, string>();
  for (const call of calls) {
    const id = containerOf(call);
    if (id === null || ownContainers.has(id)) continue;
    const asked = tools.filter(({ type }) => `${nameOf(type)}_call` === call.type).map(sizeOf);
    sizes.set(id, [sizes.get(id) ?? PLAIN_SIZE, ...asked].reduce(larger));
  }
  if (sizes.size === 0) return [];
  const made = [...sizes.values()];
  return [...new Set(made)].flatMap((size) => {
    const name = sizedContainer(size);
    return quantitiesOf(
      { code_sessions: made.filter((one) => one === size).length },
      size === PLAIN_SIZE ? {} : { model: name, rateKeys: rateKeys(name), ownPrice: true },
    );
  });
}

/** What containers that a request may make cost beyond the plain price. */
export function containerFees(tools: readonly Foreign[]): Fee[] {
  const sizes = new Set(tools.map(sizeOf).filter((size) => size !== PLAIN_SIZE));
  return [...sizes].map((size) => ({ name: sizedContainer(size), meter: 'code_sessions' }));
}

function sizedContainer(size: string): string {
  return `container/${size}`;
}

/** The memory of the container that a tool makes; one of an unknown kind has no price. */
function sizeOf({ container, environment }: Foreign): string {
  const { memory_limit } = isObject(container) ? container : objectOf(environment);
  if (memory_limit === undefined || memory_limit === null) return PLAIN_SIZE;
  return typeof memory_limit === 'string' && SIZE.test(memory_limit) ? memory_limit : 'unknown';
}

function larger(one: string, other: string): string {
  return gigabytesOf(other) > gigabytesOf(one) ? other : one;
}

function gigabytesOf(size: string): number {
  return SIZE.test(size) ? Number.parseInt(size, 10) : Number.POSITIVE_INFINITY;
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

/** The container that a call ran in, '' where it is not said; null for calls without one. */
function containerOf({ type, container_id, environment }: Foreign): string | null {
  if (type === 'code_interpreter_call') return nameOf(container_id) ?? '';
  return type === 'shell_call' ? nameOf(objectOf(environment).container_id) : null;
}

export function runsInContainer({ type }: Foreign): boolean {
  return type === 'code_interpreter' || type === 'shell';
}

/** Ids of the containers that tools and calls name. */
export function containersIn(tools: readonly Foreign[], calls: readonly Foreign[]): string[] {
  const named = tools.flatMap(({ container, environment }) => [
    container,
    objectOf(environment).container_id,
  ]);
  return [...named, ...calls.map(containerOf)].flatMap((id) => nameOf(id) ?? []);
}
