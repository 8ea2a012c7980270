import { objectOf } from './wire.js';

/** A small value that satisfies a JSON schema, as far as types, enums and required properties go. */
export function sampleOf(schema: unknown): unknown {
  const { type, properties, required, enum: choices, items } = objectOf(schema);
  if (Array.isArray(choices)) return choices[0];
  // Gemini writes types in capitals.
  switch (String(Array.isArray(type) ? type[0] : type).toLowerCase()) {
    case 'string':
      return 'sandbox';
    case 'number':
    case 'integer':
      return 1;
    case 'boolean':
      return true;
    case 'array':
      return items === undefined ? [] : [sampleOf(items)];
    case 'null':
      return null;
    default: {
      const names = Array.isArray(required) ? required.map(String) : Object.keys(objectOf(properties));
      return Object.fromEntries(names.map((name) => [name, sampleOf(objectOf(properties)[name])]));
    }
  }
}

/** A tool as all three APIs declare it. */
export interface Tool {
  name: string;
  parameters: unknown;
}

/** The tool that must be called: the one named, else the first where any is demanded, else null. */
export function demandedTool(tools: readonly Tool[], demanded: string | true | null): Tool | null {
  if (demanded === null) return null;
  return (demanded === true ? tools[0] : tools.find(({ name }) => name === demanded)) ?? null;
}
