import { paired, type Signs } from '../providers/signs.js';

/** Between elements of a list that are spread over lines, as Google writes them; and behind the last. */
const BETWEEN = /\n\}\s*,\s*(?=\{)/y;
const BEGINS = /^\s*\[\s*(?=\{\s*\n)/;
const ENDS = /\n\}\s*\]\s*$/;
const END = '\n}';
/** Behind the last element there are no more than a bracket and some space. */
const LAST_BYTES = 64;

/**
 * A list of which each element says all that there is to say so far: those with a sign and the newest with `report`, in
 * their order, with the last one. What stands in the others is not looked at, so that it may even be damaged.
 * @returns null: it is no list with an element on lines of its own, or not whole. Throws SyntaxError for an element that
 * is no JSON.
 */
export function elementsThatCount(bytes: Buffer, signs: Signs, report: string): unknown[] | null {
  // One character per byte, so that places in it are places in the bytes.
  const text = bytes.toString('latin1');
  const first = BEGINS.exec(text)?.[0].length;
  if (first === undefined || !ENDS.test(text.slice(-LAST_BYTES))) return null;
  const last = text.lastIndexOf(END);
  const newest = text.lastIndexOf(report);
  const pairs = paired(bytes);
  const kept: unknown[] = [];
  const keep = (from: number, end: number): unknown =>
    kept.push(JSON.parse(bytes.toString('utf8', from, end + END.length)));
  let from = first;
  for (;;) {
    const sign = signs.find(pairs, from, last);
    const place = sign < 0 || (newest >= from && newest < sign) ? newest : sign;
    const end = place < from ? last : endBehind(text, place, last);
    if (end === last) break;
    keep(beginBefore(text, place, from), end);
    from = behindSeparator(text, end) ?? last;
  }
  keep(beginBefore(text, last - 1, from), last);
  return kept;
}

/** Where an element begins, in which a place stands; `from` begins one. */
function beginBefore(text: string, place: number, from: number): number {
  for (let at = text.lastIndexOf(END, place); at >= from; at = text.lastIndexOf(END, at - 1)) {
    const begin = behindSeparator(text, at);
    if (begin !== null) return begin;
  }
  return from;
}

/** Where the end stands of the element in which a place stands. */
function endBehind(text: string, place: number, last: number): number {
  for (let at = text.indexOf(END, place); at < last; at = text.indexOf(END, at + 1))
    if (behindSeparator(text, at) !== null) return at;
  return last;
}

/** Null: the element does not end there. */
function behindSeparator(text: string, end: number): number | null {
  BETWEEN.lastIndex = end;
  return BETWEEN.test(text) ? BETWEEN.lastIndex : null;
}
