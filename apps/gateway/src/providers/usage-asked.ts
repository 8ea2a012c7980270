import { topLevelMembers } from './json-members.js';

/**
 * The body of a chat with `stream_options.include_usage: true`, as OpenAI's API and those in its shape take it. Every
 * other byte stays: parsing and writing the whole body again would damage integers beyond 2^53.
 */
export function withUsageAsked(body: Buffer, options: Record<string, unknown> | null | undefined): Buffer {
  const value = JSON.stringify({ ...options, include_usage: true });
  const [member] = topLevelMembers(body, (key) => key === 'stream_options');
  if (member)
    return Buffer.concat([body.subarray(0, member.start), Buffer.from(value), body.subarray(member.end)]);
  const open = body.indexOf('{') + 1;
  return Buffer.concat([
    body.subarray(0, open),
    Buffer.from(`"stream_options":${value},`),
    body.subarray(open),
  ]);
}
