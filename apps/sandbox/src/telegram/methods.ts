import { speechOf } from '../media.js';
import { filesOf } from '../request-body.js';
import { type Exchange, type Json, newId, sendJson, sendParts } from '../wire.js';
import { telegramStatusError } from './telegram-wire.js';

const BOT = { id: 100_000, is_bot: true, first_name: 'Sandbox', username: 'sandbox_bot' };
let messages = 0;

/** The result of a method, or a text that says what its request lacks. */
type Method = (fields: Json) => unknown | Lack;

class Lack {
  constructor(readonly description: string) {}
}

/** By name in small letters, as names are taken in any. */
const METHODS: Readonly<Record<string, Method>> = {
  getme: () => ({
    ...BOT,
    can_join_groups: true,
    can_read_all_group_messages: false,
    supports_inline_queries: false,
  }),
  sendmessage: (fields) =>
    typeof fields.text === 'string' && fields.text !== ''
      ? message(fields, { text: fields.text })
      : new Lack('Bad Request: message text is empty'),
  sendphoto: (fields) =>
    fields.photo === undefined && filesOf(fields).length === 0
      ? new Lack('Bad Request: there is no photo in the request')
      : message(fields, {
          photo: [{ ...file(filesOf(fields)[0]?.bytes ?? 1_000), width: 90, height: 90 }],
          ...(fields.caption === undefined ? {} : { caption: fields.caption }),
        }),
  sendchataction: () => true,
  getchat: (fields) => ({ ...chat(fields), accent_color_id: 0, max_reaction_count: 11 }),
  getfile: ({ file_id }) =>
    file_id === undefined
      ? new Lack('Bad Request: invalid file_id')
      : { ...file(1_000), file_id, file_path: `photos/${String(file_id)}.jpg` },
};
const NEEDS_CHAT = /^(send|getchat)/;

/** `/bot{token}/{method}`: fields as JSON, as a form, or in the query. */
export function answerMethod(exchange: Exchange, body: Json): void {
  const name = (exchange.params.method ?? '').toLowerCase();
  const method = Object.hasOwn(METHODS, name) ? METHODS[name] : undefined;
  const fields = { ...Object.fromEntries(exchange.query), ...body };
  if (!method) sendJson(exchange, 404, telegramStatusError(404));
  else if (NEEDS_CHAT.test(name) && fields.chat_id === undefined)
    sendJson(exchange, 400, telegramStatusError(400, 'Bad Request: chat_id is empty'));
  else {
    const result = method(fields);
    if (result instanceof Lack) sendJson(exchange, 400, telegramStatusError(400, result.description));
    else sendJson(exchange, 200, { ok: true, result });
  }
}

/** `/file/bot{token}/{path}`: the bytes of any file. */
export function answerFile(exchange: Exchange): void {
  sendParts(
    exchange,
    { 'content-type': 'application/octet-stream' },
    speechOf('A file of the sandbox', exchange.behaviour),
    [],
  );
}

function message(fields: Json, content: Json): Json {
  messages += 1;
  return {
    message_id: messages,
    from: BOT,
    chat: chat(fields),
    date: Math.floor(Date.now() / 1_000),
    ...content,
  };
}

function chat({ chat_id }: Json): Json {
  const text = String(chat_id);
  return text.startsWith('@')
    ? { id: -1_000_000_000_001, title: text, username: text.slice(1), type: 'channel' }
    : { id: Number(text), first_name: 'Somebody', type: 'private' };
}

function file(file_size: number): Json {
  const file_unique_id = newId('file');
  return { file_id: `AgAC${file_unique_id}`, file_unique_id, file_size };
}
