import type { Route } from '../provider.js';
import { readExecute, readOwnExecute, readSessionExecute, readSessionMeta } from './composio.request.js';
import { ownAnswers } from './composio.usage.js';

/** Both have the same routes; SDKs of before v3.1 ask for v3. */
const VERSIONS = ['/api/v3.1', '/api/v3'] as const;
/** Sessions are stored at Composio under the account's key, and nothing in their ids says whose they are. */
const SESSION = { accountObjects: ['session_id'] } as const;

export const routes: readonly Route[] = [
  {
    class: 'metered',
    method: 'POST',
    path: '/v1/execute',
    name: 'execute',
    read: (request) => readOwnExecute(VERSIONS[0], request),
    answers: ownAnswers,
  },
  ...VERSIONS.flatMap(routesOf),
];

function routesOf(base: string): Route[] {
  const session = `${base}/tool_router/session`;
  return [
    {
      class: 'metered',
      method: 'POST',
      path: `${base}/tools/execute/:tool`,
      name: 'tools.execute',
      read: (request) => readExecute(base, request),
    },
    {
      class: 'metered',
      method: 'POST',
      path: `${session}/:session/execute`,
      name: 'session.execute',
      read: readSessionExecute,
    },
    {
      class: 'metered',
      method: 'POST',
      path: `${session}/:session/execute_meta`,
      name: 'session.execute_meta',
      read: readSessionMeta,
    },
    { class: 'free', method: 'GET', path: `${base}/tools`, name: 'tools.list' },
    { class: 'free', method: 'GET', path: `${base}/tools/enum`, name: 'tools.enum' },
    { class: 'free', method: 'GET', path: `${base}/tools/:tool`, name: 'tools.retrieve' },
    { class: 'free', method: 'POST', path: `${base}/tools/execute/:tool/input`, name: 'tools.input' },
    { class: 'free', method: 'POST', path: `${base}/tools/scopes/required`, name: 'tools.scopes' },
    { class: 'free', method: 'GET', path: `${base}/toolkits`, name: 'toolkits.list' },
    { class: 'free', method: 'GET', path: `${base}/toolkits/*path`, name: 'toolkits.retrieve' },
    { class: 'free', method: 'GET', path: `${base}/triggers_types`, name: 'triggers_types.list' },
    { class: 'free', method: 'GET', path: `${base}/triggers_types/*path`, name: 'triggers_types.retrieve' },
    { class: 'free', method: 'POST', path: session, name: 'session.create', ...SESSION },
    { class: 'free', method: 'GET', path: `${session}/:session`, name: 'session.retrieve', ...SESSION },
    { class: 'free', method: 'POST', path: `${session}/:session/search`, name: 'session.search', ...SESSION },
    { class: 'free', method: 'GET', path: `${session}/:session/tools`, name: 'session.tools', ...SESSION },
    {
      class: 'free',
      method: 'GET',
      path: `${session}/:session/toolkits`,
      name: 'session.toolkits',
      ...SESSION,
    },
  ];
}
