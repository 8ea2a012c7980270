import { get, headerOf, post, type Route, type Upstream } from '../upstream.js';
import { newId } from '../wire.js';
import { composioStatusError } from './composio-wire.js';
import { answerExecute, answerSession, answerTool, answerToolkits, answerTools } from './tools.js';

/** The newest version, and the one that older clients take. */
function routesOf(version: string): Route[] {
  const root = `/api/${version}`;
  const session = `${root}/tool_router/session`;
  return [
    post(`${root}/tools/execute/{slug}`, answerExecute, { needsModel: false }),
    get(`${root}/tools`, answerTools),
    get(`${root}/tools/{slug}`, answerTool),
    get(`${root}/toolkits`, answerToolkits),
    post(session, answerSession, { needsModel: false }),
    post(`${session}/{session}/execute`, answerExecute, { needsModel: false }),
    post(`${session}/{session}/execute_meta`, answerExecute, { needsModel: false }),
  ];
}

export const composio: Upstream = {
  slug: 'composio',
  ownPaths: /^\/api\/v3(?:\.\d+)?\//,
  routes: ['v3.1', 'v3'].flatMap(routesOf),
  headers: () => ({
    'x-request-id': newId('req_'),
    'x-ratelimit-limit': '2000',
    'x-ratelimit-remaining': '1999',
  }),
  credential: ({ headers }) => headerOf(headers, 'x-api-key'),
  /** Directives are a slug: `SANDBOX_FAILED`, as slugs are in capitals. */
  modelOf: ({ tool_slug }, { slug }) => (slug ?? String(tool_slug ?? '')).toLowerCase().replaceAll('_', '-'),
  statusError: composioStatusError,
  refusals: { credential: 401, body: 400 },
};
