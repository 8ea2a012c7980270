import { Rational } from '@vendo/money';
import { topLevelMembers } from './json-members.js';

/**
 * The number at a path of keys in a JSON object, with every digit that it is written with: what JSON.parse gives has
 * been through a float. Where a key is repeated the last one counts, as everywhere. Null: none is there, it is
 * negative, or has more digits than any price.
 * @param text of the object; what is beyond ASCII in it may be read in any way.
 * @param said what JSON.parse gave: then the only number under the last of the keys that reads so is the one.
 */
export function exactNumber(text: string, path: readonly string[], said?: number): Rational | null {
  try {
    const only = said === undefined ? null : onlyNumber(text, path.at(-1) ?? '');
    if (only !== null && Number(only) === said) return Rational.parse(only);
    let value = Buffer.from(text);
    for (const name of path) {
      const member = topLevelMembers(value, (key) => key === name).at(-1);
      if (!member) return null;
      value = value.subarray(member.start, member.end);
    }
    const number = Rational.parse(value.toString('latin1').trim());
    return number.isNegative() ? null : number;
  } catch {
    return null;
  }
}

/** As it is written behind a key that stands there once. */
function onlyNumber(json: string, name: string): string | null {
  const key = `"${name}"`;
  const at = json.indexOf(key);
  if (at < 0 || json.indexOf(key, at + key.length) >= 0) return null;
  NUMBER.lastIndex = at + key.length;
  return NUMBER.exec(json)?.[1] ?? null;
}

const NUMBER = /\s*:\s*(\d[\d.eE+-]*)\s*[,}]/y;
