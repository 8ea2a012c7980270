import { describe, expect, it } from '@jest/globals';
import { asFineAs, linesOf } from './recording.js';

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
      'no use of tools that cost nothing beside their tokens',
      {
        input: 1,
        tool_calls: {
          ...{ image_generation_calls: 1, shell_calls: 1, local_shell_calls: 2, apply_patch_calls: 1 },
          ...{ tool_search_calls: 1, mcp_calls: 1, mcp_list_tools_calls: 1 },
        },
      },
      { input_tokens: 1 },
    ],
    [
      'the cost that the provider names, and what we have lines for beside it',
      { input: 7, cost_usd: 0.002, search_units: 1, tool_calls: { map_calls: 1 } },
      { input_tokens: 7, usd: 0.002 },
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

describe('lines as finely as a recording has them', () => {
  const FILM = 'input_tokens@m/video';
  const embedded = { input_tokens: 3, image_input_tokens: 4, audio_input_tokens: 5, [FILM]: 6 };
  const spoken = { input_tokens: 1, output_tokens: 2, audio_output_tokens: 7, image_tokens: 8 };

  it.each<[string, object, object, object]>([
    ['all as their whole where it names none', { input: 18 }, embedded, { input_tokens: 18 }],
    [
      'those apart that it names, but for film, which it has no model for',
      { input: 18, of_which_image_input: 4, of_which_audio_input: 5, of_which_video_input: 6 },
      embedded,
      { input_tokens: 9, image_input_tokens: 4, audio_input_tokens: 5 },
    ],
    ['what was made too', { input: 1, output: 17 }, spoken, { input_tokens: 1, output_tokens: 17 }],
    [
      'sound apart and pictures not',
      { input: 1, output: 17, of_which_audio_output: 7 },
      spoken,
      { input_tokens: 1, output_tokens: 10, audio_output_tokens: 7 },
    ],
    [
      'nothing else of another model, and no other meter',
      { input: 1 },
      { 'input_tokens@m': 1, 'output_tokens@m/video': 2, audio_seconds: 3, images: 4 },
      { 'input_tokens@m': 1, 'output_tokens@m/video': 2, audio_seconds: 3, images: 4 },
    ],
  ])('has %s', (_, billable, lines, as) =>
    expect(asFineAs({ ...billable }, { ...lines } as Record<string, number>)).toEqual(as),
  );

  it('keeps every sum, right or wrong', () => {
    const { input } = { input: 18 };
    expect(asFineAs({ input }, { ...embedded, [FILM]: 7 })).not.toEqual(linesOf({ input }));
    expect(asFineAs({ input }, embedded)).toEqual(linesOf({ input }));
  });

  it('leaves them where it is not known what is billed', () =>
    expect(asFineAs(null, embedded)).toEqual(embedded));
});
