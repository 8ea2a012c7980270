import { describe, expect, it } from '@jest/globals';
import { linesOf } from './recording.js';

describe('what a recording says is billed', () => {
  it.each<[string, Record<string, unknown>, object]>([
    [
      'parts of a whole once',
      { input: 9, of_which_video_input: 4, of_which_reasoning: 2, output: 3 },
      { input_tokens: 9, output_tokens: 3 },
    ],
    [
      'no notes, names and switches',
      { characters: 9, dedupe_key: 'x', ambiguous: 'a note', free: true, new_flag: false },
      { characters: 9 },
    ],
    [
      'nothing of what was not used',
      { calls: 1, new_units: 0, tool_calls: { new_calls: 0 } },
      { 'composio.action_call': 1 },
    ],
    [
      'the searches of a tool, not the pages that it opened',
      {
        input: 1,
        tool_calls: {
          ...{ web_search_calls: 3, web_search_calls_action_search: 1 },
          ...{ web_search_calls_action_open_page: 2, file_search_calls: 4, code_interpreter_calls: 1 },
        },
      },
      { input_tokens: 1, web_searches: 1, file_searches: 4 },
    ],
    [
      'another model under its name',
      { input: 1, other_models: [{ model: 'm', input: 2, output: 3, of_which_reasoning: 1 }] },
      { input_tokens: 1, 'input_tokens@m': 2, 'output_tokens@m': 3 },
    ],
  ])('counts %s', (_, billable, lines) =>
    expect(Object.fromEntries(Object.entries(linesOf(billable)).sort())).toEqual(lines),
  );

  it.each<[string, Record<string, unknown>, string]>([
    ['a quantity', { input: 1, cache_write_12h: 5, video_seconds: 2 }, 'cache_write_12h, video_seconds'],
    ['several of them', { input: 1, rooms: { large: 2 } }, 'rooms'],
    ['a tool', { input: 1, tool_calls: { web_search_calls: 1, map_calls: 1 } }, 'map_calls'],
    ['of another model', { input: 1, other_models: [{ model: 'm', images: 1 }] }, 'images'],
  ])('is not read where %s is new', (_, billable, names) =>
    expect(() => linesOf(billable)).toThrow(`billed, and not compared here: ${names}`),
  );
});
