import { type Exchange, type Json, newId, objectOf, sendJson } from '../wire.js';
import { composioStatusError } from './composio-wire.js';

const TOOLS = ['GMAIL_SEND_EMAIL', 'GITHUB_CREATE_ISSUE', 'SANDBOX_FAILED'];

/** POST /tools/execute/{slug}, and in a session with `tool_slug`: a tool that fails is HTTP 200 too. */
export function answerExecute(exchange: Exchange, body: Json): void {
  const slug = exchange.params.slug ?? body.tool_slug;
  if (typeof slug !== 'string') {
    sendJson(exchange, 400, composioStatusError(400, 'tool_slug is required'));
    return;
  }
  const { failed } = exchange.behaviour;
  sendJson(exchange, 200, {
    data: failed ? {} : { tool: slug, arguments: objectOf(body.arguments) },
    error: failed ? 'The tool could not do it.' : null,
    successful: !failed,
    log_id: newId('log_'),
  });
}

/** GET /tools */
export function answerTools(exchange: Exchange): void {
  sendPage(exchange, TOOLS.map(tool));
}

/** GET /tools/{slug}. Every slug exists. */
export function answerTool(exchange: Exchange): void {
  sendJson(exchange, 200, tool(exchange.params.slug ?? ''));
}

/** GET /toolkits */
export function answerToolkits(exchange: Exchange): void {
  sendPage(exchange, [...new Set(TOOLS.map(toolkitOf))].map(toolkit));
}

/** POST /tool_router/session */
export function answerSession(exchange: Exchange): void {
  const session_id = newId('trs_');
  sendJson(exchange, 201, {
    session_id,
    mcp: { type: 'http', url: `https://backend.composio.dev/tool_router/${session_id}/mcp` },
    tool_router_tools: ['COMPOSIO_SEARCH_TOOLS', 'COMPOSIO_MULTI_EXECUTE_TOOL'],
    config: { user_id: 'sandbox' },
  });
}

function sendPage(exchange: Exchange, items: readonly Json[]): void {
  sendJson(exchange, 200, {
    items,
    next_cursor: null,
    total_items: items.length,
    total_pages: 1,
    current_page: 1,
  });
}

function toolkitOf(slug: string): string {
  return (slug.split('_')[0] ?? '').toLowerCase();
}

function tool(slug: string): Json {
  const kit = toolkitOf(slug);
  return {
    slug,
    name: slug.toLowerCase().replaceAll('_', ' '),
    description: 'A tool of the sandbox.',
    human_description: 'A tool of the sandbox.',
    toolkit: { slug: kit, name: kit, logo: 'https://logos.example/sandbox' },
    input_parameters: { type: 'object', properties: { text: { type: 'string' } }, required: [] },
    output_parameters: { type: 'object', properties: {} },
    tags: [],
    scopes: [],
    no_auth: true,
    is_deprecated: false,
    status: 'active',
    version: '20260101_00',
    available_versions: ['20260101_00'],
    deprecated: {
      available_versions: ['20260101_00'],
      displayName: slug,
      is_deprecated: false,
      toolkit: { logo: 'https://logos.example/sandbox' },
      version: '20260101_00',
    },
  };
}

function toolkit(slug: string): Json {
  return {
    slug,
    name: slug,
    deprecated: { toolkitId: slug, getCurrentUserEndpoint: null },
    auth_schemes: [],
    composio_managed_auth_schemes: [],
    is_local_toolkit: false,
    no_auth: true,
    status: 'active',
    meta: {
      logo: 'https://logos.example/sandbox',
      description: 'Tools of the sandbox.',
      app_url: null,
      categories: [],
      tools_count: TOOLS.filter((name) => toolkitOf(name) === slug).length,
      triggers_count: 0,
      version: '20260101_00',
      created_at: '2026-01-01T00:00:00Z',
      updated_at: '2026-01-01T00:00:00Z',
    },
  };
}
