/** A price for every tool that has none of its own. */
const EVERY_TOOL = '*';
/** `TOOLKIT_ACTION`: both are letters and digits, and either may have underscores in it. */
const TOOL = /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$/;

/** A mistake that happens; in upper case nothing else would know it for a key of ours. */
const KEY = /^VENDO_SK_/;

/** A tool's slug in its one spelling, or null for what is none; `proxy`, which has a route beside the tools, is none. */
export function toolOf(slug: string): string | null {
  const tool = slug.toUpperCase();
  return slug.length <= 128 && TOOL.test(tool) && !KEY.test(tool) ? tool : null;
}

/** The toolkit of a tool, so far as its slug says: what stands before the first underscore. */
export function toolkitOf(tool: string): string {
  return tool.slice(0, tool.indexOf('_')).toLowerCase();
}

/** Whether a tool is one of this toolkit. */
export function isOfToolkit(tool: string, toolkit: string): boolean {
  return tool.startsWith(`${toolkit.toUpperCase()}_`);
}

/**
 * Names under which a tool may be priced: its slug, then every toolkit that it can be of, the longest name first
 * (`ONE_DRIVE_GET_FILE`: `one_drive_get`, `one_drive`, `one`), then the price for every tool. Which toolkits there are
 * is data.
 */
export function rateKeys(tool: string): readonly string[] {
  const words = tool.split('_');
  const toolkits = words.slice(1).map((_, index) => words.slice(0, words.length - 1 - index).join('_'));
  return [tool, ...toolkits.map((toolkit) => toolkit.toLowerCase()), EVERY_TOOL];
}
