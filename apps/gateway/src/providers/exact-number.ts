import { Rational } from '@vendo/money';
import { topLevelMembers } from './json-members.js';

/**
 * The number at a path of keys in a JSON object, with every digit that it is written with: what JSON.parse gives has
 * been through a float. Where a key is repeated the last one counts, as everywhere. Null: none is there, it is
 * negative, or has more digits than any price.
 */
export function exactNumber(source: Buffer, path: readonly string[]): Rational | null {
  try {
    let value = source;
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
