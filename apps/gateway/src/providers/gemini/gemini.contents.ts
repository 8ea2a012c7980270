import { type Foreign, isObject, listOf, objectOf } from '../foreign-json.js';
import { invalid } from '../request-body.js';

/** Google takes one of a thing wherever it takes a list of them. */
export function manyOf(value: unknown): readonly unknown[] {
  return [value ?? []].flat();
}

/** A member under either of its names. Throws VendoError invalid_body where both stand: which one counts is not ours to guess. */
export function either(object: Foreign, name: string): unknown {
  const other = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  if (object[name] !== undefined && object[other] !== undefined)
    throw invalid(`"${name}" and "${other}" are the same.`);
  return object[name] ?? object[other];
}

/** The parts of contents. What is no content counts as one part, which is not plain. */
export function partsOf(contents: unknown): unknown[] {
  return manyOf(contents).flatMap((content) => (isObject(content) ? manyOf(content.parts) : [content]));
}

export function embeddedContents(request: Foreign): unknown[] {
  const contents = [request.content, ...manyOf(request.requests).map((one) => objectOf(one).content)];
  return contents.flatMap((content) => content ?? []);
}

/** Of the API in the shape of OpenAI's. */
export function embeddedTexts({ input }: Foreign): string[] {
  return [input].flat().filter(isText);
}

/** What an interaction says: a text, blocks of content, or steps and turns with such blocks in them. */
export function blocksOf(input: unknown): unknown[] {
  return manyOf(input).flatMap((block) => {
    if (isText(block)) return [{ type: 'text', text: block }];
    const { content } = objectOf(block);
    return content === undefined ? [block] : blocksOf(content);
  });
}

/** Members of a part that are text, or as good as text. */
const PLAIN_MEMBERS =
  /^(?:text|thought|thought_?signature|function_?call|executable_?code|code_?execution_?result)$/i;

export function isPlainPart(part: unknown): boolean {
  return (
    isObject(part) &&
    Object.keys(part).every((name) => PLAIN_MEMBERS.test(name) || isPlainResponse(part, name))
  );
}

function isPlainResponse(part: Foreign, name: string): boolean {
  return /^function_?response$/i.test(name) && objectOf(part[name]).parts === undefined;
}

/** Results of functions are the user's own objects, but for those that are content. */
const FILES = /^(?:image|audio|video|document)$/i;

/**
 * Whether a part or a block, or what a function answered in it, names a file by anything but an address on the open web.
 * Throws VendoError invalid_body.
 */
export function namesFile(part: unknown): boolean {
  const said = objectOf(part);
  const answered = objectOf(either(said, 'functionResponse'));
  const results = listOf(said.result).filter(isFile);
  return [said, ...manyOf(answered.parts), ...results].some((one) => isStored(uriOf(objectOf(one))));
}

function isFile(content: unknown): boolean {
  const { type } = objectOf(content);
  return isText(type) && FILES.test(type);
}

function uriOf(part: Foreign): unknown {
  return either(objectOf(either(part, 'fileData')), 'fileUri') ?? part.uri;
}

function isStored(uri: unknown): boolean {
  if (uri === undefined || uri === null) return false;
  return !isText(uri) || !/^https?:\/\//i.test(uri) || /^https?:\/\/[^/?#]*googleapis\.com\b/i.test(uri);
}

export function textsOf(parts: readonly unknown[]): string[] {
  return parts.map((part) => objectOf(part).text).filter(isText);
}

export function isText(value: unknown): value is string {
  return typeof value === 'string';
}
