import { JSON_TYPE, KNOWN_AT_HEAD, post, type Scene, type Scenes } from './memory.scene.contract.js';

const SESSION = '/composio/api/v3.1/tool_router/session/s-1';
const TOOL = 'GITHUB_GET_REPO';

function called(path: string, body: object): Scene {
  return {
    request: post(path, body),
    type: JSON_TYPE,
    parts: ['{"data":{"name":"x"},', '"successful":true,', '"log_id":"l-1"}', ''],
    reported: { 'composio.action_call': 1 },
    ...KNOWN_AT_HEAD,
  };
}

export const SCENES: Scenes = {
  'the call of a tool': called(`/composio/api/v3.1/tools/execute/${TOOL}`, { arguments: {} }),
  'the call of a tool by our own route': {
    ...called('/composio/v1/execute', { action_id: TOOL, args: {} }),
    isOwn: true,
  },
  'the call of a tool in a session': called(`${SESSION}/execute`, { tool_slug: TOOL, arguments: {} }),
  'a call of several tools in a session': {
    ...called(`${SESSION}/execute_meta`, {
      slug: 'COMPOSIO_MULTI_EXECUTE_TOOL',
      arguments: { tools: [{ tool_slug: TOOL }, { tool_slug: TOOL }] },
    }),
    reported: { 'composio.action_call': 2 },
  },
};
