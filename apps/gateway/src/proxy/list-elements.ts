import { NO_SIGN, type Signs } from '../providers/signs.js';

/** Between elements of a list that are spread over lines, as Google writes them; and behind the last. */
const BETWEEN = /\n\}\s*,\s*(?=\{)/g;
const BEGINS = /^\s*\[\s*(?=\{\s*\n)/;
const ENDS = /\n\}\s*\]\s*$/;

/**
 * A list of which each element says all that there is to say so far: those with a sign and the newest with `report`, in
 * their order, with the last one. What stands in the others is not looked at, so that it may even be damaged.
 * @returns null: it is no list with an element on lines of its own, or not whole. Throws SyntaxError for an element that
 * is no JSON.
 */
export function elementsThatCount(bytes: Buffer, signs: Signs, report: string): unknown[] | null {
  // One character per byte, so that places in it are places in the bytes.
  const text = bytes.toString('latin1');
  const start = BEGINS.exec(text)?.[0].length;
  if (start === undefined || !ENDS.test(text.slice(-LAST_BYTES))) return null;
  const newest = text.lastIndexOf(report);
  const kept: string[] = [];
  let from = start;
  BETWEEN.lastIndex = start;
  for (let found = BETWEEN.exec(text); found; found = BETWEEN.exec(text)) {
    const end = found.index + END.length;
    const isNewest = newest >= from && newest < end;
    if (isNewest || signs.find(bytes, from, end) !== NO_SIGN) kept.push(bytes.toString('utf8', from, end));
    from = BETWEEN.lastIndex;
  }
  kept.push(bytes.toString('utf8', from, text.lastIndexOf(END) + END.length));
  return kept.map((element) => JSON.parse(element) as unknown);
}

const END = '\n}';
/** Behind the last element there are no more than a bracket and some space. */
const LAST_BYTES = 64;
