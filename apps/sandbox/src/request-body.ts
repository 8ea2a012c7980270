import type { IncomingMessage } from 'node:http';
import type { Takes } from './upstream.js';
import type { Json } from './wire.js';

/** A file of a form. The sandbox looks at nothing but its size. */
export interface SentFile {
  name: string;
  type: string;
  bytes: number;
}

/**
 * Reads a body as its route takes it; null when it is not that. Of a form, fields are strings (lists when they are
 * repeated) and files are `SentFile`s; of bytes, only their number is told, as `bytes`.
 */
export function readBody(request: IncomingMessage, takes: Takes, then: (body: Json | null) => void): void {
  if (takes === 'nothing') {
    request.resume();
    then({});
    return;
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (takes !== 'bytes') chunks.push(chunk);
  });
  request.on('end', () => {
    if (takes === 'bytes') then({ bytes });
    else
      understand(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks), request, takes, then);
  });
}

function understand(
  body: Buffer,
  { headers }: IncomingMessage,
  takes: Takes,
  then: (body: Json | null) => void,
): void {
  const type = headers['content-type'] ?? '';
  if (takes === 'json') then(parse(body));
  else if (/^multipart\/form-data/i.test(type)) then(fieldsOf(multipart(body, type)));
  else if (/^application\/x-www-form-urlencoded/i.test(type))
    then(fieldsOf([...new URLSearchParams(body.toString())]));
  else then(body.length === 0 ? {} : parse(body));
}

function parse(body: Buffer): Json | null {
  try {
    const json: unknown = JSON.parse(body.toString());
    return typeof json === 'object' && json !== null && !Array.isArray(json) ? (json as Json) : null;
  } catch {
    return null;
  }
}

type Field = readonly [name: string, value: string | SentFile];

function fieldsOf(fields: readonly Field[] | null): Json | null {
  if (!fields) return null;
  const grouped = new Map<string, unknown[]>();
  for (const [name, value] of fields) grouped.set(name, [...(grouped.get(name) ?? []), value]);
  return Object.fromEntries(
    [...grouped].map(([name, values]) => [name, values.length > 1 ? values : values[0]]),
  );
}

/**
 * The parts of a form; null when it is torn. As lenient as the providers are: some clients (grammY) leave out the
 * quotes around a name, which the parser of the platform does not take.
 */
function multipart(body: Buffer, type: string): Field[] | null {
  const [, quoted, bare] = /boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(type) ?? [];
  const mark = `--${quoted ?? bare}`;
  const fields: Field[] = [];
  let at = body.indexOf(mark) + mark.length;
  while (at >= mark.length) {
    if (body.toString('latin1', at, at + 2) === '--') return fields;
    const said = body.indexOf('\r\n\r\n', at);
    const end = body.indexOf(`\r\n${mark}`, said);
    if (said < 0 || end < 0) return null;
    fields.push(partOf(body.toString('utf8', at, said), body.subarray(said + 4, end)));
    at = end + 2 + mark.length;
  }
  return null;
}

function partOf(head: string, content: Buffer): Field {
  const named = (what: string): string | undefined => {
    const [, quoted, bare] = new RegExp(`[;\\s]${what}=(?:"([^"]*)"|([^;\\s]+))`, 'i').exec(head) ?? [];
    return quoted ?? bare;
  };
  const name = named('name') ?? '';
  const file = named('filename');
  if (file === undefined) return [name, content.toString()];
  const [, type = ''] = /^content-type:\s*(\S+)/im.exec(head) ?? [];
  return [name, { name: file, type, bytes: content.length }];
}

/** The files in a body, however they are named. */
export function filesOf(body: Json): SentFile[] {
  return Object.values(body)
    .flat()
    .filter((value): value is SentFile => isFile(value));
}

function isFile(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'bytes' in value && 'type' in value;
}
