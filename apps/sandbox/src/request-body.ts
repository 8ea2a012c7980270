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
 * repeated or end in `[]`) and files are `SentFile`s; of bytes, only their number is told, as `bytes`.
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
  const isForm = /^(multipart\/form-data|application\/x-www-form-urlencoded)/i.test(type);
  if (takes === 'json' || !isForm) then(takes === 'form' && body.length === 0 ? {} : parse(body));
  else
    new Response(new Uint8Array(body), { headers: { 'content-type': type } })
      .formData()
      .then((form) => fieldsOf(form))
      .then(then, () => then(null));
}

function parse(body: Buffer): Json | null {
  try {
    const json: unknown = JSON.parse(body.toString());
    return typeof json === 'object' && json !== null && !Array.isArray(json) ? (json as Json) : null;
  } catch {
    return null;
  }
}

function fieldsOf(form: FormData): Json {
  const fields: Record<string, unknown> = {};
  for (const key of new Set(form.keys())) {
    const values = form.getAll(key).map(fieldOf);
    const name = key.replace(/\[\]$/, '');
    fields[name] = values.length > 1 || name !== key ? values : values[0];
  }
  return fields;
}

function fieldOf(value: NonNullable<ReturnType<FormData['get']>>): string | SentFile {
  if (typeof value === 'string') return value;
  return { name: value.name, type: value.type, bytes: value.size };
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
