import { describe, expect, it } from '@jest/globals';
import { VendoError } from '@vendo/errors';
import type { MeteredRoute } from '../../apps/gateway/src/providers/provider.js';
import { PROVIDERS } from '../../apps/gateway/src/providers/registry.js';

/** JSON that cannot be taken for a text: whoever tries to is thrown at. */
const POISON = { toString: 1, valueOf: 1 };

/** Names of members that readers of requests look at, whoever's they are. */
const MEMBERS = [
  ...[
    'type',
    'role',
    'text',
    'content',
    'output',
    'input',
    'result',
    'source',
    'file_id',
    'fileData',
    'fileUri',
  ],
  ...[
    'file_uri',
    'uri',
    'image_url',
    'container',
    'environment',
    'memory_limit',
    'audio',
    'voice',
    'id',
    'name',
  ],
  ...['parts', 'functionResponse', 'functionDeclarations', 'model', 'speed', 'arguments', 'effort', 'tools'],
];
const LISTS = [
  ...[
    'messages',
    'input',
    'contents',
    'tools',
    'system',
    'requests',
    'fallbacks',
    'plugins',
    'systemInstruction',
  ],
  ...[
    'instances',
    'keyterms_prompt',
    'inputs',
    'speech_understanding',
    'generationConfig',
    'response_format',
  ],
];

/** A body in which every list has an object with this in the place of one of its members, two levels deep. */
function bodyWith(member: string): object {
  const one = { type: 'message', [member]: POISON };
  const two = { ...one, content: [one], parts: [one], output: [one], result: [one] };
  const lists = Object.fromEntries(LISTS.map((name) => [name, [two]]));
  return { model: 'm', max_tokens: 9, stream: false, ...lists, [member]: POISON };
}

const METERED = PROVIDERS.flatMap((provider) =>
  provider.routes
    .filter((route): route is MeteredRoute => route.class === 'metered')
    .map((route) => [`${provider.slug} ${route.name}`, route] as const),
);

describe.each(METERED)('a request of %s', (_, route) => {
  it('is read or refused, whatever stands where a text should', async () => {
    for (const member of [...MEMBERS, ...LISTS])
      for (const body of [bodyWith(member), { model: 'm', [member]: POISON }, { [member]: [POISON] }])
        await expectNoOtherError(async () => {
          const { meter } = await route.read({
            body: Buffer.from(JSON.stringify(body)),
            params: { model: 'm', voice: 'v', tool: 'T', id: 'i' },
            query: new URLSearchParams(),
            contentType: 'application/json',
          });
          meter().counted();
        });
  });
});

async function expectNoOtherError(read: () => Promise<void>): Promise<void> {
  try {
    await read();
  } catch (thrown) {
    if (!(thrown instanceof VendoError)) throw thrown;
    expect(thrown.code).not.toBe('internal_error');
  }
}
