import { describe, expect, it } from '@jest/globals';
import { OutputFloor, tokenFloor } from './token-floor.js';

describe('the fewest tokens of a text', () => {
  it.each([
    ['', 0],
    ['   \n\t', 0],
    ['hello', 1],
    ['hello world', 2],
    // One token each in cl100k or o200k, so never counted as two.
    ["don't", 1],
    ['.com', 1],
    ['(self', 1],
    ['2024', 1],
    ['{\n//', 1],
    ['don’t', 1],
    ['naïve', 1],
    ['你好世界', 1],
    // Cut by every tokenizer.
    ['a1b', 3],
    ['...foo', 2],
    ['foo()', 2],
    ['x = y', 3],
    ['it is 3.14!', 6],
    ["''", 1],
    ["a''b", 2],
    ['{\nfoo', 2],
  ])('%j is at least %i', (text, tokens) => expect(tokenFloor([text])).toBe(tokens));

  it('adds up over texts, whose ends are cuts', () => expect(tokenFloor(['hel', 'lo'])).toBe(2));
});

describe('the fewest tokens of an output', () => {
  const delta = (content: string) => `data: {"id":"1","delta":{"content":${JSON.stringify(content)}}}\n\n`;

  function floorOf(...events: string[]): number {
    const floor = new OutputFloor(['content', 'arguments']);
    for (const event of events) floor.take(event);
    return floor.tokens;
  }

  it.each([
    ['one per delta, where a word comes in parts', [delta('hel'), delta('l'), delta('o')], 3],
    ['one per piece, where a delta has many', [delta('one two three'), delta(' four')], 4],
    ['a word over two deltas is one piece', [delta('one tw'), delta('o three')], 3],
    ['nothing for an empty delta', [delta(''), 'data: {"delta":{"role":"assistant"}}\n\n'], 0],
    ['what follows an empty string', ['data: {"content":"","arguments":"{"}'], 1],
    ['spaces around the colon', ['data: {"content" : "a b"}'], 2],
    ['an escaped quote does not end it', [delta('say "hi there" now')], 5],
    ['an escaped line break parts words', [delta('a\nb')], 2],
    ['\\u escapes are letters', ['data: {"content":"a\\u00e9b \\u4f60"}'], 2],
    ['what only looks like a field inside of a text is text', [delta('"content":"x y z"')], 6],
    ['an event that breaks off counts what came', ['data: {"delta":{"content":"one tw'], 2],
    ['an event that breaks off in an escape', ['data: {"delta":{"content":"one \\'], 1],
    ['an event where the field stands elsewhere than before', [delta('a'), `: x\n${delta('b')}`], 2],
  ])('%s', (_, events, tokens) => expect(floorOf(...events)).toBe(tokens));

  it('of a body is that of all its strings', () => {
    const floor = new OutputFloor(['content']);
    floor.takeBody('{"choices":[{"content":"one two"},{"content":"three"},{"content":"fo');
    expect(floor.tokens).toBe(4);
  });
});
