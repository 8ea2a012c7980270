import { VendoError } from '@vendo/errors';
import { z } from 'zod';
import { nameOf, objectOf } from '../foreign-json.js';
import { topLevelMembers } from '../json-members.js';
import type { Account, MeteredRequest, RouteRequest } from '../provider.js';
import { invalid, readRequestBody } from '../request-body.js';
import { isOfToolkit, toolkitOf, toolOf } from './composio.models.js';
import { ActionMeter } from './composio.usage.js';

/** Composio takes half as many in one call. */
const TOOLS_MAX = 100;
const MULTI_EXECUTE = 'COMPOSIO_MULTI_EXECUTE_TOOL';
/** Tools of Composio's own (run several, run code, manage connections) work on sessions, which are stored in the account. */
const META_TOOL = /^COMPOSIO_/;

const Id = z.string().min(1).max(256);

/** What a connection with the profile `composio_managed` stores: whose access is used, and for which toolkit. */
export const ConnectedAccount = z.strictObject({
  user_id: Id,
  connected_account_id: Id,
  toolkit: z.string().regex(/^[a-z0-9]+(_[a-z0-9]+)*$/, 'must be the slug of a toolkit, in lower case'),
});
type ConnectedAccount = z.infer<typeof ConnectedAccount>;
const NOBODY: Partial<ConnectedAccount> = {};

const Arguments = z.looseObject({}).nullish();
/** Choose whose account is used. On a shared one the connection says it. */
const CHOICES = {
  user_id: z.unknown().optional(),
  entity_id: z.unknown().optional(),
  connected_account_id: z.unknown().optional(),
};
/** Pass on any account. */
const KEPT = {
  arguments: Arguments,
  text: z.unknown().optional(),
  version: z.unknown().optional(),
  allow_tracing: z.unknown().optional(),
};
const ExecuteBody = z.object({
  ...CHOICES,
  ...KEPT,
  // They bring credentials of their own, and choose the server that Composio sends them to.
  custom_auth_params: z.never().optional(),
  custom_connection_data: z.never().optional(),
});
const OwnBody = z.object({ action_id: z.string(), args: Arguments });
const SessionBody = z.object({ tool_slug: z.string(), arguments: Arguments });
const MetaBody = z.object({ slug: z.string(), arguments: Arguments });

/** `POST /tools/execute/{tool}`. Throws VendoError invalid_body; route_not_supported for what is no tool. */
export function readExecute(base: string, { body, params }: RouteRequest): MeteredRequest {
  const tool = toolOf(params.tool ?? '');
  if (tool === null) throw new VendoError('route_not_supported');
  const request = readRequestBody(body, ExecuteBody);
  return execution(base, tool, request.arguments, body);
}

/** `POST /v1/execute`, our own: `{action_id, args}`. Throws VendoError invalid_body. */
export function readOwnExecute(base: string, { body }: RouteRequest): MeteredRequest {
  const { action_id, args } = readRequestBody(body, OwnBody);
  const tool = mustBeTool(action_id, 'action_id');
  const [given] = topLevelMembers(body, (key) => key === 'args');
  const value = given && args ? body.subarray(given.start, given.end) : '{}';
  return execution(base, tool, args, objectOfMembers([['arguments', value]]));
}

/** A tool in a session. Throws VendoError invalid_body. */
export function readSessionExecute({ body }: RouteRequest): MeteredRequest {
  const request = readRequestBody(body, SessionBody);
  return { ...metered(mustBeTool(request.tool_slug, 'tool_slug'), request.arguments, body), ...SESSION };
}

/** One of Composio's own tools in a session. Throws VendoError invalid_body. */
export function readSessionMeta({ body }: RouteRequest): MeteredRequest {
  const request = readRequestBody(body, MetaBody);
  return { ...metered(mustBeTool(request.slug, 'slug'), request.arguments, body), ...SESSION };
}

const SESSION = { accountObjects: ['session_id'] };

/** The query is left out: nothing in it may choose an account. */
function execution(base: string, tool: string, args: unknown, body: Buffer): MeteredRequest {
  return {
    ...metered(tool, args, body),
    path: `${base}/tools/execute/${tool}`,
    bodyFor: (account) => (account.isShared ? bodyOnShared(body, account) : body),
    binding: { suits: (account) => suits(account, tool), wanted: { toolkit: toolkitOf(tool) } },
    ...(META_TOOL.test(tool) ? SESSION : {}),
  };
}

function metered(tool: string, args: unknown, body: Buffer): MeteredRequest {
  const tools = toolsOf(tool, args);
  return {
    model: tool,
    stream: false,
    tier: 'standard',
    body,
    bound: { kind: 'units', units: { 'composio.action_call': tools.length } },
    needs: ['composio.action_call'],
    meter: () => new ActionMeter(tool, tools),
  };
}

/** The tools that run: the one that is called, or those that it is told to run. */
function toolsOf(tool: string, args: unknown): string[] {
  const told = tool === MULTI_EXECUTE ? (objectOf(args).tools ?? []) : [];
  // A list as text, or one tool without a list, might be run all the same.
  if (!Array.isArray(told)) throw invalid('"tools" is not a list.');
  if (told.length > TOOLS_MAX) throw invalid(`At most ${TOOLS_MAX} tools may be run in one call.`);
  if (told.length === 0) return [tool];
  return told.map((one) => toolOf(nameOf(objectOf(one).tool_slug) ?? '') ?? tool);
}

function mustBeTool(slug: string, field: string): string {
  const tool = toolOf(slug);
  if (tool === null) throw invalid(`"${field}" is not the slug of a tool.`);
  return tool;
}

/** A connection of the tenant's own has all of its toolkits, and so has its user on the managed pool. */
function suits(account: Account, tool: string): boolean {
  const connected = connectedAccount(account);
  return connected === null || isOfToolkit(tool, connected.toolkit);
}

/**
 * The connection's own account, or on the managed pool the user that is the tenant; whatever the client wrote of users
 * and accounts is out, and so is what is not known to be harmless. Every byte of the arguments stays.
 */
function bodyOnShared(body: Buffer, account: Account): Buffer {
  const members = topLevelMembers(body, () => true);
  const unknown = members.find(({ key }) => !Object.hasOwn(KEPT, key) && !Object.hasOwn(CHOICES, key));
  if (unknown) throw invalid('The body has a field that is not supported on a shared account.');
  const { user_id = account.tenantId, connected_account_id: id } = connectedAccount(account) ?? NOBODY;
  return objectOfMembers([
    ['user_id', JSON.stringify(user_id)],
    ...(id === undefined ? [] : [['connected_account_id', JSON.stringify(id)] satisfies MemberBytes]),
    ...members
      .filter(({ key }) => Object.hasOwn(KEPT, key))
      .map(({ key, start, end }): MemberBytes => [key, body.subarray(start, end)]),
  ]);
}

/** Throws VendoError connection_needs_reauth when nothing can be made of what the connection stores. */
function connectedAccount({ part }: Account): ConnectedAccount | null {
  if (part === null) return null;
  try {
    return ConnectedAccount.parse(JSON.parse(part));
  } catch {
    throw new VendoError('connection_needs_reauth');
  }
}

type MemberBytes = [key: string, value: string | Buffer];

/** A JSON object of these members, their values byte for byte. */
function objectOfMembers(members: readonly MemberBytes[]): Buffer {
  const parts = members.flatMap(([key, value], index) => [
    Buffer.from(`${index === 0 ? '' : ','}${JSON.stringify(key)}:`),
    Buffer.from(value),
  ]);
  return Buffer.concat([Buffer.from('{'), ...parts, Buffer.from('}')]);
}
